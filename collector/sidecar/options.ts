import type { Redaction } from "./redact.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a sidecar was told. It is handed to the background thread as it is, so it holds plain values only. */
export interface SidecarOptions {
  /** Where the scoring service is; a path in it is put before the path of every request. */
  readonly upstream: string;
  readonly model: string;
  readonly version: string | undefined;
  readonly deployment: string | undefined;
  /** Names for the elements of vectors that come without, in order; those of the protocol where there are not as many. */
  readonly featureNames: readonly string[] | undefined;
  /** The same for what is answered. */
  readonly outputNames: readonly string[] | undefined;
  readonly collector: string;
  readonly apiKey: string | undefined;
  readonly listen: Address;
  readonly admin: Address;
  /** Share of calls that are recorded, in (0, 1]; failed ones are recorded all. */
  readonly sample: number;
  readonly redactions: readonly Redaction[];
  readonly redactKey: string | undefined;
  /** Paths that are recorded; all when empty. `*` stands for anything. */
  readonly onlyPaths: readonly string[];
  readonly skipPaths: readonly string[];
  /** Request headers that may name the call, the first one present wins. */
  readonly idHeaders: readonly string[];
  /** Response header that tells the caller the record's id; none when undefined. */
  readonly answerIdHeader: string | undefined;
  /** Bytes of one body that are kept for decoding; a longer body goes through whole and is not decoded. */
  readonly bodyBytes: number;
  /** Bytes of captured calls and of batches that wait in memory. */
  readonly memoryBytes: number;
  /** Folder of batches that could not be sent; undefined keeps none. */
  readonly spoolDir: string | undefined;
  readonly spoolBytes: number;
  /** How long the drain at the end may take. */
  readonly drainMs: number;
}
