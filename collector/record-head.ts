import type { JsonCursor } from "./json-cursor.ts";
import { QUOTE } from "./json-cursor.ts";
import { type Instant, readTimestamp } from "./timestamp.ts";

const LONGEST_ID = 512;
const LARGEST_ROW = 2_147_483_647;
const MOST_WEIGHT = 1_000_000;
const NOTHING = new Uint8Array();

/** What records and labels have in common: id, row and time. Reads as much as is usual; the rest is left to zod. */
export class RecordHead {
  idBytes: Uint8Array = NOTHING;
  idFrom = 0;
  /** 0 when there is no id. */
  idTo = 0;
  row = 0;
  readonly time: Instant = { seconds: 0, micros: 0 };
  timed = false;

  reset(): void {
    this.idTo = 0;
    this.row = 0;
    this.timed = false;
  }

  setId(id: string): void {
    this.idBytes = Buffer.from(id);
    this.idFrom = 0;
    this.idTo = this.idBytes.length;
  }

  setTime(text: string): void {
    const bytes = Buffer.from(text);
    if (!readTimestamp(bytes, 0, bytes.length, this.time))
      throw new RangeError(`"${text}" passed for a time`);
    this.timed = true;
  }

  readId(cursor: JsonCursor): boolean {
    if (cursor.peek() === QUOTE) {
      if (!cursor.string() || cursor.escaped) return false;
    } else if (!cursor.number() || cursor.wholeDigits === 0 || cursor.to - cursor.from > 15) return false;
    else if (cursor.to - cursor.from !== cursor.wholeDigits) return false; // a sign
    const length = cursor.to - cursor.from;
    this.idBytes = cursor.bytes;
    this.idFrom = cursor.from;
    this.idTo = cursor.to;
    return length > 0 && length <= LONGEST_ID;
  }

  readRow(cursor: JsonCursor): boolean {
    const row = readWhole(cursor, LARGEST_ROW);
    this.row = row;
    return row >= 0;
  }

  readTime(cursor: JsonCursor): boolean {
    cursor.peek();
    if (!cursor.string()) return false;
    this.timed = true;
    return readTimestamp(cursor.bytes, cursor.from, cursor.to, this.time);
  }
}

/** What a record stands for; -1 when it is nothing of the kind. */
export function readWeight(cursor: JsonCursor): number {
  return cursor.number() && cursor.value >= 1 && cursor.value <= MOST_WEIGHT ? cursor.value : -1;
}

/** A whole number without sign, fraction or exponent, up to `most`; -1 for anything else. */
export function readWhole(cursor: JsonCursor, most: number): number {
  cursor.peek();
  if (!cursor.number() || cursor.wholeDigits !== cursor.to - cursor.from) return -1;
  return cursor.value <= most ? cursor.value : -1;
}
