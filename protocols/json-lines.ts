import { ServiceError } from "../schema/errors.ts";
import { type JsonValue, parseJson } from "./json.ts";

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACES: ReadonlySet<number | undefined> = new Set([0x20, 0x09, CARRIAGE_RETURN]);

/**
 * The values of newline-delimited JSON. Blank lines are passed over; the last line needs no end; lines may end in CR LF;
 * a byte order mark at the start is dropped.
 *
 * @param limits - `lines`: most that are taken; `nesting`: as in `parseJson`.
 * @throws ServiceError `invalid-input` naming the line, counted from 1, that is not JSON; `too-large` for too many.
 * @see https://github.com/ndjson/ndjson-spec
 * @example
 * parseJsonLines(new TextEncoder().encode('{"a":1}\r\n\n{"a":2}'), { lines: 10, nesting: 64 }); // [{ a: 1 }, { a: 2 }]
 */
export function parseJsonLines(
  bytes: Uint8Array,
  limits: { readonly lines: number; readonly nesting: number },
): JsonValue[] {
  const values: JsonValue[] = [];
  for (const { number, text } of linesOf(bytes)) {
    if (values.length === limits.lines)
      throw new ServiceError("too-large", `more than ${limits.lines} lines`);
    values.push(parseLine(text, number, limits.nesting));
  }
  return values;
}

/**
 * The lines of a text that are not blank, with their numbers, counted from 1. A byte order mark at the start is dropped.
 *
 * @example
 * [...linesOf(new TextEncoder().encode("a\n\nb"))].map(({ number }) => number); // [1, 3]
 */
export function* linesOf(
  bytes: Uint8Array,
): Generator<{ readonly number: number; readonly text: Uint8Array }> {
  let from = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let number = 1; from < bytes.length; number++) {
    const found = bytes.indexOf(LINE_FEED, from);
    const to = found === -1 ? bytes.length : found;
    if (!isBlank(bytes, from, to)) yield { number, text: bytes.subarray(from, to) };
    from = to + 1;
  }
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  while (at < to && SPACES.has(bytes[at])) at++;
  return at === to;
}

function parseLine(bytes: Uint8Array, line: number, nesting: number): JsonValue {
  try {
    return parseJson(bytes, nesting);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw new ServiceError(error.code, `line ${line}: ${error.message}`);
  }
}
