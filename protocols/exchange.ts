/** Header names in lower case, as Node gives them. */
export type MessageHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A request or an answer as it went over the wire, its `content-encoding` already undone. */
export interface Message {
  readonly headers: MessageHeaders;
  readonly body: Uint8Array;
}

/** One call of a scoring service, as somebody beside the wire saw it. */
export interface Exchange {
  readonly method: string;
  /** As in the request line; a query is ignored. */
  readonly path: string;
  readonly request: Message;
  /** Absent when the service gave no answer. */
  readonly response?: (Message & { readonly status: number }) | undefined;
}

/**
 * What a feature or output of a row may hold.
 *
 * A `bigint` is a whole number beyond 2^53: `JSON.stringify` throws on it, `writeJson` writes its digits, and the
 * collector keeps all of them. NaN never occurs (it is `null`, a missing value), nor do infinities (they are the texts
 * `Infinity` and `-Infinity`, since JSON has neither).
 */
export type FeatureValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly FeatureValue[]
  | { readonly [key: string]: FeatureValue };

export type Features = Readonly<Record<string, FeatureValue>>;

/** One scored instance: `row` counts from 0 within its request. */
export interface DecodedRow {
  readonly row: number;
  readonly inputs: Features;
  readonly outputs: Features;
}

export type Protocol = "open-inference-v2" | "tensorflow-serving-v1" | "mlflow" | "plain";

/** Bounds on what one payload may become. Whatever is beyond them is not decoded, and the reason names the limit. */
export interface DecodeLimits {
  /** Longest body that is looked at. */
  readonly bodyBytes: number;
  /** Most instances in one request. */
  readonly rows: number;
  /** Most values over all rows of one request. */
  readonly cells: number;
  /** Widest vector that becomes one column per element; a wider tensor is kept as shape and digest. */
  readonly columnsPerTensor: number;
  /** Longest text that is kept as it is; a longer one is kept as size and digest. */
  readonly textLength: number;
  /** Deepest nesting of lists and objects. */
  readonly nesting: number;
}

export const defaultDecodeLimits: DecodeLimits = {
  bodyBytes: 16 * 1024 * 1024,
  rows: 100_000,
  cells: 2_000_000,
  columnsPerTensor: 256,
  textLength: 65_536,
  nesting: 64,
};

export interface DecodeOptions {
  /** Names for the columns of a nameless vector or matrix, in order, from the model's signature. */
  readonly featureNames?: readonly string[] | undefined;
  /** The same for what the model answers. */
  readonly outputNames?: readonly string[] | undefined;
  /** A collision-free digest of bytes as text, such as `sha256:…`. */
  readonly digest: (bytes: Uint8Array) => string;
  readonly limits?: Partial<DecodeLimits> | undefined;
}

/**
 * What became of an exchange.
 *
 * - `decoded`: one row per instance. `id` is the caller's (`ce-id`, `x-request-id`, V2 `id`, SageMaker's inference id),
 *   `model` and `version` are as path or answer name them. `notes` say what was left out and why; an answer with an
 *   error status, or one that is not understood, gives rows without outputs and a note.
 * - `undecodable`: a scoring call whose request is not understood; `reason` is a sentence for the user.
 * - `not-scoring`: a call for something else, such as health or metadata.
 */
export type DecodedExchange =
  | {
      readonly outcome: "decoded";
      readonly protocol: Protocol;
      readonly id: string | undefined;
      readonly model: string | undefined;
      readonly version: string | undefined;
      readonly rows: readonly DecodedRow[];
      readonly notes: readonly string[];
    }
  | {
      readonly outcome: "undecodable";
      readonly protocol: Protocol;
      readonly id: string | undefined;
      readonly model: string | undefined;
      readonly version: string | undefined;
      readonly reason: string;
    }
  | { readonly outcome: "not-scoring"; readonly reason: string };
