import { isUtf8 } from "node:buffer";
import { ServiceError } from "../schema/errors.ts";
import { CLOSE_BRACKET, COMMA, JsonCursor, OPEN_BRACE, OPEN_BRACKET } from "./json-cursor.ts";
import type { BatchFormat } from "./request-body.ts";

const LINE_FEED = 0x0a;

/**
 * The records of a body, one after the other: as bounds in its bytes, or as values where it is JSON of a kind that
 * `JsonCursor` leaves to `JSON.parse`.
 */
export interface RecordSlices {
  /** Whether what lies at the bounds is a body of JSON in itself, and nobody has looked at it yet. */
  readonly body: "unread" | "read";
  /** Moves to the next record and sets `from` and `to`, or `value`. */
  next(): "bounds" | "value" | "not-utf8" | "end";
  readonly from: number;
  readonly to: number;
  readonly value: unknown;
}

/** @throws ServiceError `invalid-input` when a JSON body is not JSON, or neither a list nor an object. */
export function recordSlices(body: Uint8Array, format: BatchFormat): RecordSlices {
  const bytes = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0; // a byte order mark
  if (format === "ndjson") return new Lines(body, bytes);
  if (!isUtf8(body)) throw new ServiceError("invalid-input", "the body is not UTF-8");
  if (firstByte(body, bytes) === OPEN_BRACE) return new Lone(bytes, body.length);
  const bounds = elementBounds(body, bytes);
  return bounds ? new Elements(bounds) : new Values(parseList(body, bytes));
}

/** The one object that a body is, if it is one. */
class Lone implements RecordSlices {
  readonly body = "unread";
  readonly from: number;
  readonly to: number;
  readonly value = undefined;
  #next: "bounds" | "end" = "bounds";

  constructor(from: number, to: number) {
    this.from = from;
    this.to = to;
  }

  next(): "bounds" | "end" {
    const next = this.#next;
    this.#next = "end";
    return next;
  }
}

/** The first that is not white space. A cursor would be made for it with every request, which costs more than the look. */
function firstByte(bytes: Uint8Array, start: number): number | undefined {
  let at = start;
  while (at < bytes.length && (isSpace(bytes[at] as number) || bytes[at] === LINE_FEED)) at++;
  return bytes[at];
}

/** Lines that are not blank. */
class Lines implements RecordSlices {
  readonly body = "read";
  readonly #bytes: Buffer;
  readonly #allUtf8: boolean;
  #at: number;
  from = 0;
  to = 0;
  readonly value = undefined;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#allUtf8 = isUtf8(bytes);
    this.#at = start;
  }

  next(): "bounds" | "not-utf8" | "end" {
    const bytes = this.#bytes;
    while (this.#at < bytes.length) {
      const newline = bytes.indexOf(LINE_FEED, this.#at);
      this.from = this.#at;
      this.to = newline === -1 ? bytes.length : newline;
      this.#at = this.to + 1;
      while (this.from < this.to && isSpace(bytes[this.from] as number)) this.from++;
      if (this.from === this.to) continue;
      return this.#allUtf8 || isUtf8(bytes.subarray(this.from, this.to)) ? "bounds" : "not-utf8";
    }
    return "end";
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}

/** Elements of a list, known to be JSON. */
class Elements implements RecordSlices {
  readonly body = "read";
  readonly #bounds: readonly number[];
  #next = 0;
  from = 0;
  to = 0;
  readonly value = undefined;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  next(): "bounds" | "end" {
    if (this.#next >= this.#bounds.length) return "end";
    this.from = this.#bounds[this.#next++] as number; // they come in pairs
    this.to = this.#bounds[this.#next++] as number;
    return "bounds";
  }
}

class Values implements RecordSlices {
  readonly body = "read";
  readonly #values: readonly unknown[];
  #next = 0;
  readonly from = 0;
  readonly to = 0;
  value: unknown;

  constructor(values: readonly unknown[]) {
    this.#values = values;
  }

  next(): "value" | "end" {
    if (this.#next >= this.#values.length) return "end";
    this.value = this.#values[this.#next++];
    return "value";
  }
}

/** From and to of each element of a list; undefined when the cursor refuses the text. */
function elementBounds(bytes: Uint8Array, start: number): number[] | undefined {
  const cursor = new JsonCursor();
  cursor.open(bytes, start, bytes.length);
  const bounds: number[] = [];
  if (cursor.peek() !== OPEN_BRACKET) return undefined;
  cursor.at++;
  if (!cursor.take(CLOSE_BRACKET)) {
    for (;;) {
      if (!cursor.skip()) return undefined;
      bounds.push(cursor.from, cursor.to);
      if (cursor.take(CLOSE_BRACKET)) break;
      if (!cursor.take(COMMA)) return undefined;
    }
  }
  return cursor.peek() === -1 ? bounds : undefined;
}

function parseList(bytes: Uint8Array, start: number): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + start, bytes.length - start).toString());
  } catch (error) {
    throw new ServiceError(
      "invalid-input",
      `the body is not JSON: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  if (Array.isArray(value)) return value;
  if (value !== null && typeof value === "object") return [value];
  throw new ServiceError("invalid-input", "the body is neither a list of records nor a record");
}
