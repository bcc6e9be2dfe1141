import type { Frame } from "../store/frame.ts";
import type { IntegerColumn } from "./column-builder.ts";
import type { RecordIssue } from "./record-issues.ts";
import type { Instant } from "./timestamp.ts";

/** What became of one record of a request. */
export type Outcome = "stored" | "duplicate" | "sampled-out";

/** Where a record lies in the bytes of a request: `[from, to)`. */
export interface Bounds {
  readonly from: number;
  readonly to: number;
}

/** What the records of one request share. */
export interface RequestContext {
  readonly receivedAt: Instant;
  /** Id for the record at this place in the request, which has none of its own. */
  readonly idFor: (index: number) => string;
}

/** Rows of one model being gathered: its records, or its labels. */
export interface Rows {
  readonly rows: number;
  /** Takes what lies at the bounds, if it is of a usual kind; the bytes are valid UTF-8. */
  scan(bytes: Uint8Array, bounds: Bounds, context: RequestContext, index: number): Outcome | "unusual";
  /** Takes a value that `JSON.parse` made. @returns what is wrong with it, if anything. */
  parse(value: unknown, context: RequestContext, index: number): Outcome | readonly RecordIssue[];
  /** The rows gathered since the last reset. The frame holds until the next row. */
  finish(): Frame;
  reset(): void;
}

/** Appends microseconds since 1970 as two words. */
export function appendInstant(column: IntegerColumn, row: number, { seconds, micros }: Instant): void {
  const total = seconds * 1_000_000 + micros;
  if (Number.isSafeInteger(total)) {
    column.append64(row, Math.floor(total / 4294967296), total % 4294967296);
    return;
  }
  const exact = BigInt(seconds) * 1_000_000n + BigInt(micros);
  column.append64(row, Number(BigInt.asIntN(32, exact >> 32n)), Number(BigInt.asUintN(32, exact)));
}
