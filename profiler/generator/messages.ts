import type { ArrivalKind } from "./arrivals.ts";

/** What counts as a good answer. */
export interface SuccessRule {
  /** Ranges of good status codes, both ends included. */
  readonly statuses: readonly (readonly [from: number, to: number])[];
  /** Regular expression that a good answer's body has to match. */
  readonly body?: string | undefined;
}

/** Where the load goes and what it is made of. */
export interface LoadTarget {
  /** Scheme, host and port: `http://127.0.0.1:8080`. */
  readonly origin: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bodies, sent in turn; one empty body when there is nothing to send. */
  readonly payloads: readonly Uint8Array[];
  readonly success: SuccessRule;
  readonly timeoutMs: number;
  /** Most connections at once. */
  readonly connections: number;
}

export interface OpenWindowOrder {
  readonly kind: "open";
  /** Requests per second. */
  readonly rate: number;
  readonly arrivals: ArrivalKind;
  readonly seed: number;
  readonly durationMs: number;
  /** Most requests that are sent. */
  readonly most: number;
  /** Ends the window early when so many requests took so long that the objective is out of reach. */
  readonly hopeless?: { readonly slowMs: number; readonly mostSlow: number } | undefined;
}

export interface ClosedWindowOrder {
  readonly kind: "closed";
  /** Callers, each of which sends its next request when the last one is answered. */
  readonly concurrency: number;
  readonly durationMs: number;
  readonly most: number;
}

export type WindowOrder = OpenWindowOrder | ClosedWindowOrder;

/** What one window of load came to. Latencies in microseconds, in histograms as HdrHistogram encodes them (V2, compressed, base64). */
export interface LoadResult {
  readonly durationMs: number;
  /** Requests whose time came. */
  readonly due: number;
  readonly ok: number;
  readonly failed: number;
  readonly timedOut: number;
  /** Status codes and broken connections, counted. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** From the time a request was meant for to its answer; time-outs count as the whole time-out. */
  readonly latency: string;
  /** From sending to the answer. */
  readonly service: string;
  /** How late the generator itself was; empty for a closed loop. */
  readonly lateness: string;
  readonly mostInFlight: number;
  /** Longest pause of the generator's garbage collector. */
  readonly gcMs: number;
  readonly end: "complete" | "hopeless" | "stopped";
}

export type ToGenerator =
  | { readonly type: "target"; readonly target: LoadTarget }
  | { readonly type: "window"; readonly id: number; readonly order: WindowOrder }
  | { readonly type: "stop" };

export type FromGenerator =
  | { readonly type: "ready" }
  | { readonly type: "result"; readonly id: number; readonly result: LoadResult }
  | { readonly type: "failed"; readonly id: number; readonly message: string };
