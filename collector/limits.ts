/** Bounds on what one request and all requests together may take. */
export interface CollectorLimits {
  /** Longest request body, before and after decompression. */
  readonly bodyBytes: number;
  /** How many times longer than sent a compressed body may become, once it is beyond a mebibyte. */
  readonly inflateRatio: number;
  /** Bytes of requests that may wait to be taken in; beyond it the answer is 429. */
  readonly queuedBytes: number;
  /** Bytes that are durable in the journal and not yet in the tables; requests wait, then are answered 429. */
  readonly backlogBytes: number;
  /** How long a request waits for room before it is answered 429. */
  readonly waitMs: number;
  /** Errors named in one answer; the counts are exact beyond it. */
  readonly namedErrors: number;
  /** Features and outputs of one model together. */
  readonly columnsPerModel: number;
  readonly models: number;
}

const MEBIBYTE = 1024 * 1024;

export const defaultLimits: CollectorLimits = {
  bodyBytes: 32 * MEBIBYTE,
  inflateRatio: 200,
  queuedBytes: 96 * MEBIBYTE,
  backlogBytes: 48 * MEBIBYTE,
  waitMs: 10_000,
  namedErrors: 100,
  columnsPerModel: 2_000,
  models: 1_000,
};
