import { DEEPEST_NESTING } from "./json-text.ts";
import type { WrittenKey } from "./key-table.ts";

/** 1 for a byte that stands for itself within a JSON string: not a quote, a backslash or a control character. */
const PLAIN = new Uint8Array(256).fill(1, 0x20);
PLAIN[0x22] = 0;
PLAIN[0x5c] = 0;

const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`)); // exact up to 1e22

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
export const COLON = 0x3a;
export const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

/**
 * Reads JSON from UTF-8 bytes token by token, without making strings or objects.
 *
 * It accepts no more than `JSON.parse` does; where it says no (`false`), the text may still be right and is left to
 * `JSON.parse`. After a token `from` and `to` are its bounds, without the quotes of a string.
 */
export class JsonCursor {
  bytes: Uint8Array = new Uint8Array();
  /** The same bytes, for reading four at once. */
  #view: DataView = new DataView(new ArrayBuffer(0));
  at = 0;
  end = 0;
  from = 0;
  to = 0;
  /** Whether the string read last holds a backslash. */
  escaped = false;
  /** Whether any string since this was last set to false holds a `\\u` escape, which may be half a surrogate pair. */
  unicodeEscapes = false;
  /** Of the number read last, exactly as `JSON.parse` rounds it. */
  value = 0;
  /** Digits of the number read last if it is written as a whole number, otherwise 0. */
  wholeDigits = 0;

  open(bytes: Uint8Array, from: number, to: number): void {
    if (this.bytes !== bytes) {
      this.bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.at = from;
    this.end = to;
  }

  /** The next byte that is not white space, not taken yet; -1 at the end. */
  peek(): number {
    const { bytes, end } = this;
    let at = this.at;
    while (at < end) {
      const byte = bytes[at] as number;
      if (byte > 0x20) {
        this.at = at;
        return byte;
      }
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      at++;
    }
    this.at = at;
    return at < end ? 0 : -1;
  }

  /** Takes the next byte if it is this one. */
  take(wanted: number): boolean {
    if (this.peek() !== wanted) return false;
    this.at++;
    return true;
  }

  /** Takes `"name":` if that comes next, without white space in it. */
  takeKey({ words, length }: WrittenKey): boolean {
    const { at } = this;
    const last = words.length - 1;
    if (last < 0 || at + length > this.end) return false;
    const view = this.#view;
    for (let i = 0; i < last; i++) if (view.getInt32(at + i * 4, true) !== words[i]) return false;
    if (view.getInt32(at + length - 4, true) !== words[last]) return false;
    this.from = at + 1;
    this.to = at + length - 2;
    this.at = at + length;
    return true;
  }

  /** Takes a string. */
  string(): boolean {
    const { bytes, end } = this;
    if (bytes[this.at] !== QUOTE) return false;
    let at = this.at + 1;
    this.from = at;
    this.escaped = false;
    for (;;) {
      while (at < end && PLAIN[bytes[at] as number] === 1) at++;
      if (at >= end) return false;
      const byte = bytes[at] as number;
      if (byte === QUOTE) break;
      if (byte !== BACKSLASH) return false;
      const length = escapeLength(bytes, at, end);
      if (length === 0) return false;
      this.escaped = true;
      if (length > 2) this.unicodeEscapes = true;
      at += length;
    }
    this.to = at;
    this.at = at + 1;
    return true;
  }

  /** Takes a number. */
  number(): boolean {
    const { bytes, end } = this;
    const start = this.at;
    let at = start;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    const whole = at;
    let digit = at < end ? (bytes[at] as number) - 48 : -1;
    if (digit < 0 || digit > 9) return false;
    if (digit === 0) {
      at++;
      digit = at < end ? (bytes[at] as number) - 48 : -1;
      if (digit >= 0 && digit <= 9) return false; // 01
    }
    let high = 0; // the first 9 significant digits
    let low = 0; // the next 9
    let digits = 0;
    let fraction = 0; // where it begins, if there is one
    for (;;) {
      if (digit >= 0 && digit <= 9) {
        if (digits < 9) high = (high * 10 + digit) | 0;
        else if (digits < 18) low = (low * 10 + digit) | 0;
        if (high > 0) digits++;
      } else if (digit === -2 && fraction === 0) fraction = at + 1;
      else break;
      at++;
      digit = at < end ? (bytes[at] as number) - 48 : -1;
    }
    if (at === fraction) return false; // 1.
    this.wholeDigits = fraction === 0 ? at - whole : 0;
    let scale = fraction === 0 ? 0 : at - fraction;
    if (digit === 0x45 - 48 || digit === 0x65 - 48) {
      this.wholeDigits = 0;
      scale = POWERS_OF_TEN.length; // beyond what is done here
      at++;
      if (at < end && (bytes[at] === MINUS || bytes[at] === 0x2b)) at++;
      const exponent = at;
      while (at < end && (bytes[at] as number) >= 48 && (bytes[at] as number) <= 57) at++;
      if (at === exponent) return false;
    }
    this.from = start;
    this.to = at;
    this.at = at;
    let value = Number.NaN;
    if (digits <= 18 && scale < POWERS_OF_TEN.length) {
      const divisor = POWERS_OF_TEN[scale] as number;
      const shift = POWERS_OF_TEN[digits <= 9 ? 0 : digits - 9] as number;
      value =
        digits <= 15
          ? (high * shift + low) / divisor // all exact, so rounded once
          : quotient(high, low, shift, divisor);
    }
    if (Number.isNaN(value)) value = Number(ascii(bytes, negative ? start + 1 : start, at));
    this.value = negative ? -value : value;
    return value !== Number.POSITIVE_INFINITY;
  }

  /** Takes `true`, `false` or `null`, whichever `word` is. */
  literal(word: "true" | "false" | "null"): boolean {
    const from = this.at;
    if (from + word.length > this.end) return false;
    for (let i = 0; i < word.length; i++) if (this.bytes[from + i] !== word.charCodeAt(i)) return false;
    this.from = from;
    this.to = from + word.length;
    this.at = this.to;
    return true;
  }

  /** Takes any value; a number beyond the range of a double and a deep nesting are refused. */
  skip(depth = 0): boolean {
    const first = this.peek();
    const from = this.at;
    let taken: boolean;
    if (first === QUOTE) taken = this.string();
    else if (first === OPEN_BRACE) taken = this.#skipObject(depth);
    else if (first === OPEN_BRACKET) taken = this.#skipArray(depth);
    else if (first === 0x74) taken = this.literal("true");
    else if (first === 0x66) taken = this.literal("false");
    else if (first === 0x6e) taken = this.literal("null");
    else taken = this.number();
    this.from = from;
    this.to = this.at;
    return taken;
  }

  #skipObject(depth: number): boolean {
    if (depth >= DEEPEST_NESTING) return false;
    this.at++;
    if (this.take(CLOSE_BRACE)) return true;
    for (;;) {
      if (this.peek() !== QUOTE || !this.string() || !this.take(COLON) || !this.skip(depth + 1)) return false;
      if (this.take(CLOSE_BRACE)) return true;
      if (!this.take(COMMA)) return false;
    }
  }

  #skipArray(depth: number): boolean {
    if (depth >= DEEPEST_NESTING) return false;
    this.at++;
    if (this.take(CLOSE_BRACKET)) return true;
    for (;;) {
      if (!this.skip(depth + 1)) return false;
      if (this.take(CLOSE_BRACKET)) return true;
      if (!this.take(COMMA)) return false;
    }
  }
}

/** Bytes of the escape that starts at `at`; 0 when it is none that JSON knows. */
function escapeLength(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end) return 0;
  const kind = bytes[at + 1] as number;
  if (kind !== 0x75) return '"\\/bfnrt'.includes(String.fromCharCode(kind)) ? 2 : 0;
  if (at + 6 > end) return 0;
  return /^[0-9a-fA-F]{4}$/.test(ascii(bytes, at + 2, at + 6)) ? 6 : 0;
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/**
 * (high * shift + low) / divisor rounded once, as `JSON.parse` does; NaN where that cannot be told.
 *
 * The numerator is taken exactly as a sum of two doubles (Dekker's product), the quotient as a sum of two as well, with
 * an error below 2^-100 of it. Only when the last rounding could go either way within a far wider margin is it NaN.
 */
function quotient(high: number, low: number, shift: number, divisor: number): number {
  const product = high * shift;
  const upper = product + low;
  const lower = low - (upper - product) + productError(high, shift, product);
  const first = upper / divisor;
  const back = first * divisor;
  const rest = upper - back - productError(first, divisor, back) + lower;
  const second = rest / divisor;
  const margin = Math.abs(second) * 2 ** -45;
  const result = first + (second + margin);
  return result === first + (second - margin) ? result : Number.NaN;
}

/** What `product`, the rounded a * b, lacks: exact for numbers this far from the ends of the range (Dekker 1971). */
function productError(a: number, b: number, product: number): number {
  const wideA = 134217729 * a;
  const upperA = wideA - (wideA - a);
  const lowerA = a - upperA;
  const wideB = 134217729 * b;
  const upperB = wideB - (wideB - b);
  const lowerB = b - upperB;
  return lowerA * lowerB - (product - upperA * upperB - lowerA * upperB - upperA * lowerB);
}
