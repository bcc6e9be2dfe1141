import type { BodyState } from "./body-tee.ts";

/** A call that went through, as the background gets it. */
export interface Call {
  readonly id: string;
  /** `open`: the payload may bring an id that goes before this one. */
  readonly idState: "settled" | "open";
  readonly timeMs: number;
  readonly latencyMs: number;
  readonly status: number;
  readonly path: string;
  readonly request: Payload;
  readonly response: Payload;
}

export interface Payload {
  readonly type: string | undefined;
  readonly encoding: string | undefined;
  /** `Inference-Header-Content-Length` of the binary tensor extension. */
  readonly headerLength: string | undefined;
  readonly state: BodyState;
  readonly body: Uint8Array;
}
