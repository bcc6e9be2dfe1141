import type { JsonCursor } from "./json-cursor.ts";
import { COLON } from "./json-cursor.ts";

/** A key of a JSON object, and the key that followed it last time. */
export interface Key<Self> {
  readonly bytes: Uint8Array;
  /** Number of the record that had the key last, so that a key given twice is noticed; GONE when it is no longer a key. */
  stamp: number;
  next: Self | undefined;
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
    if (expected !== undefined && expected.stamp !== GONE && cursor.takeKey(expected.bytes)) key = expected;
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
