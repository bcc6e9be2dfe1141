import { ServiceError } from "../schema/errors.ts";
import type { JsonValue } from "./json.ts";
import { setOwn } from "./own-property.ts";

/** A 64-bit integer has 20; turning millions of digits into a bigint takes longer than any payload is worth. */
const LONGEST_EXACT_DIGITS = 40;
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const WORDS: readonly (readonly [string, JsonValue])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
];

/**
 * Reads JSON with bare NaN and infinities and with whole numbers of any size. It recurses as deep as the text is
 * nested, so the caller has bounded that. Slower than `JSON.parse`, which reads all texts that need none of this.
 *
 * @throws ServiceError `invalid-input` where the text is not JSON.
 */
export function readJson(text: string): JsonValue {
  const reader = new Reader(text);
  const value = reader.value();
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): JsonValue {
    this.#skipSpace();
    const first = this.#text[this.#at];
    if (first === "[") return this.#list();
    if (first === "{") return this.#object();
    if (first === '"') return this.#string();
    for (const [word, value] of WORDS) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    return this.#number();
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected();
  }

  #list(): JsonValue {
    const items: JsonValue[] = [];
    this.#at++;
    if (this.#takes("]")) return items;
    do items.push(this.value());
    while (this.#takes(","));
    if (!this.#takes("]")) throw this.#unexpected();
    return items;
  }

  #object(): JsonValue {
    const members: Record<string, JsonValue> = {};
    this.#at++;
    if (this.#takes("}")) return members;
    do {
      this.#skipSpace();
      const key = this.#string();
      if (!this.#takes(":")) throw this.#unexpected();
      setOwn(members, key, this.value());
    } while (this.#takes(","));
    if (!this.#takes("}")) throw this.#unexpected();
    return members;
  }

  #string(): string {
    const text = this.#text;
    if (text[this.#at] !== '"') throw this.#unexpected();
    let end = this.#at + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
    try {
      const value = JSON.parse(text.slice(this.#at, end + 1)) as string; // a quote begins it
      this.#at = end + 1;
      return value;
    } catch {
      throw this.#unexpected();
    }
  }

  #number(): JsonValue {
    const [digits, fraction, exponent] = this.#match(NUMBER);
    const value = Number(digits);
    const whole = fraction === undefined && exponent === undefined && digits.length <= LONGEST_EXACT_DIGITS;
    return whole && !Number.isSafeInteger(value) ? BigInt(digits) : value;
  }

  #match(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (!found) throw this.#unexpected();
    this.#at += found[0].length;
    return found;
  }

  #takes(mark: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #unexpected(): ServiceError {
    const found = this.#at < this.#text.length ? JSON.stringify(this.#text[this.#at]) : "the end";
    return new ServiceError("invalid-input", `not JSON: unexpected ${found} at character ${this.#at}`);
  }
}
