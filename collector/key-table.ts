import type { JsonCursor } from "./json-cursor.ts";
import { COLON } from "./json-cursor.ts";

/** `"name":` as nearly everybody writes it, to be compared four bytes at a time; the last four may overlap those before. */
export interface WrittenKey {
  readonly words: Int32Array;
  readonly length: number;
}

/** A key of a JSON object, and the key that followed it last time. */
export interface Key<Self> {
  readonly written: WrittenKey;
  /** Number of the record that had the key last, so that a key given twice is noticed; GONE when it is no longer a key. */
  stamp: number;
  next: Self | undefined;
}

export function writtenKey(name: string): WrittenKey {
  const bytes = Buffer.from(`"${name}":`);
  const { length } = bytes;
  const words = length < 4 ? 0 : Math.ceil(length / 4); // the empty name is shorter, and looked up each time
  return {
    words: Int32Array.from({ length: words }, (_, i) => bytes.readInt32LE(Math.min(i * 4, length - 4))),
    length,
  };
}

export const GONE = Number.POSITIVE_INFINITY;

/**
 * The keys of one kind of object. Most records have the same keys in the same order, so the key after the last one is
 * compared first, byte for byte; only where that fails is it looked up.
 */
export class KeyTable<K extends Key<K>> {
  readonly #find: (name: string) => K | undefined;
  #first: K | undefined;
  constructor(find: (name: string) => K | undefined) {
    this.#find = find;
  }

  /** Takes `"key":` at the cursor. Undefined when there is none, it is unknown, or this record had it already. */
  take(cursor: JsonCursor, previous: K | undefined, stamp: number): K | undefined {
    const expected = previous === undefined ? this.#first : previous.next;
    let key: K | undefined;
    if (expected !== undefined && expected.stamp !== GONE && cursor.takeKey(expected.written)) key = expected;
    else {
      if (!cursor.string()) return undefined;
      const { from, to, escaped, bytes } = cursor;
      if (escaped || !cursor.take(COLON)) return undefined;
      key = this.#find(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString());
      if (key === undefined) return undefined;
      if (previous === undefined) this.#first = key;
      else previous.next = key;
    }
    if (key.stamp === stamp) return undefined;
    key.stamp = stamp;
    return key;
  }
}
