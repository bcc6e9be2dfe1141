/** What a look over JSON text tells before it is parsed. */
interface JsonScan {
  /** Deepest nesting of lists and objects. */
  readonly depth: number;
  /** `extended` when it may hold whole numbers of 16 digits and more, or the bare words NaN and Infinity. */
  readonly beyond: "plain" | "extended";
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LONGEST_SAFE_DIGITS = 15;

/** One pass over the bytes of a JSON text, without building anything; any bytes are taken. */
export function scanJson(bytes: Uint8Array): JsonScan {
  let depth = 0;
  let deepest = 0;
  let beyond: JsonScan["beyond"] = "plain";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number; // within bounds
    if (byte === QUOTE) {
      at = endOfString(bytes, at + 1);
    } else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > deepest) deepest = depth;
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--;
    } else if (byte === 0x4e || byte === 0x49) {
      beyond = "extended"; // N or I
    } else if (byte >= 0x30 && byte <= 0x39) {
      const end = endOfNumber(bytes, at);
      if (end.wholeDigits > LONGEST_SAFE_DIGITS) beyond = "extended";
      at = end.at - 1;
    }
  }
  return { depth: deepest, beyond };
}

/**
 * Where the object or list ends that the bytes begin with, whatever comes behind it; undefined when it does not end.
 *
 * @example
 * endOfJson(Uint8Array.from([0x7b, 0x7d, 0xff])); // 2
 */
export function endOfJson(bytes: Uint8Array): number | undefined {
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at + 1);
    else if (byte === 0x5b || byte === 0x7b) depth++;
    else if (byte === 0x5d || byte === 0x7d) depth--;
    if (depth <= 0) return depth === 0 && at > 0 ? at + 1 : undefined;
  }
  return undefined;
}

/** Where the closing quote is, or the end. */
function endOfString(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

function endOfNumber(bytes: Uint8Array, from: number): { readonly at: number; readonly wholeDigits: number } {
  let at = from;
  while (isDigit(bytes[at])) at++;
  const wholeDigits = at - from;
  const next = bytes[at];
  if (next !== 0x2e && next !== 0x65 && next !== 0x45) return { at, wholeDigits }; // not . e E
  while (isDigit(bytes[at]) || bytes[at] === 0x2e || ((bytes[at] ?? 0) | 0x20) === 0x65) at++;
  return { at, wholeDigits: 0 };
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
