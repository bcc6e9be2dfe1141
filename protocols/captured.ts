import type { Message } from "./exchange.ts";
import type { JsonObject } from "./json.ts";

/** Half of a scored call, as a capture format tells it: what was asked, or what was answered. */
export interface CapturedHalf {
  readonly side: "request" | "response";
  readonly message: Message;
  /** Event time of this half, RFC 3339 as it came. */
  readonly time: string | undefined;
  /** Path of the call, which tells protocols apart that the body does not. */
  readonly path: string | undefined;
  /** Status of an answer; 200 when the format does not tell. */
  readonly status: number | undefined;
}

/** What both halves of a call share. */
export interface CapturedCall {
  readonly model: string;
  /** Id that the records get. */
  readonly id: string;
  readonly version: string | undefined;
  readonly deployment: string | undefined;
}

/**
 * What one line or event of a capture format is.
 *
 * - `half`: waits for the other half with the same `key`; `key` is unique beyond the id where two components log one id.
 * - `call`: both halves at once, or all there will be.
 * - `records`, `labels`: already in the form that the collector takes.
 * - `ignored`: something else that the format also tells, and that is not asked for here.
 * - `refused`: not understood; `reason` is a sentence for whoever sent it.
 */
export type Captured =
  | { readonly kind: "half"; readonly call: CapturedCall; readonly key: string; readonly half: CapturedHalf }
  | {
      readonly kind: "call";
      readonly call: CapturedCall;
      readonly request: CapturedHalf;
      readonly response: CapturedHalf | undefined;
    }
  | { readonly kind: "records"; readonly model: string; readonly records: readonly JsonObject[] }
  | { readonly kind: "labels"; readonly model: string; readonly labels: readonly JsonObject[] }
  | { readonly kind: "ignored"; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string };
