import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashKey } from "../../collector/key-hash.ts";
import { KeyIndex } from "../../collector/key-index.ts";

/** Few different words, so that keys meet in the same slots; the extremes among them. */
const word = fc.constantFrom(0, 1, -1, 2, 63, 64, 0x7fffffff, -0x80000000, 0x40000000);
const step = fc.tuple(fc.constantFrom("add", "remove", "has", "expect"), word, word, word);

/** The third word 0 is kept as 1. */
function nameOf(a: number, b: number, c: number): string {
  return `${a >>> 0} ${b >>> 0} ${c === 0 ? 1 : c >>> 0}`;
}

describe("the index of keys", () => {
  it("is a set", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const index = new KeyIndex();
        const set = new Set<string>();
        for (const [what, a, b, c] of steps) {
          const name = nameOf(a, b, c);
          if (c === 0) continue; // lies in another part than 1, though kept as 1: either way it is a key of its own
          if (what === "add") {
            expect(index.add(a, b, c)).toBe(set.has(name) ? "known" : "added");
            set.add(name);
          } else if (what === "remove") {
            index.remove(a, b, c);
            set.delete(name);
          } else if (what === "expect") index.expect(Math.abs(a % 10_000));
          else expect(index.has(a, b, c)).toBe(set.has(name));
          expect(index.size).toBe(set.size);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("keeps every key while it grows from nothing to 100,000", () => {
    const index = new KeyIndex();
    const hash = { a: 0, b: 0, c: 0, d: 0 };
    const bytes = Buffer.from("record");
    for (let row = 0; row < 100_000; row++) {
      hashKey(bytes, 0, bytes.length, row, [1, 2, 3, 4], hash);
      expect(index.add(hash.a, hash.b, hash.c)).toBe("added");
    }
    expect(index.size).toBe(100_000);
    for (let row = 0; row < 100_000; row++) {
      hashKey(bytes, 0, bytes.length, row, [1, 2, 3, 4], hash);
      expect(index.add(hash.a, hash.b, hash.c)).toBe("known");
    }
  });

  it("keeps the value that came last", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word, word, word), { maxLength: 200 }), (puts) => {
        const index = new KeyIndex({ valueWords: 2 });
        const map = new Map<string, string>();
        for (const [a, b, v, w] of puts) {
          const name = `${a} ${b}`;
          expect(index.put(a, b, 7, [v, w])).toBe(map.get(name) === `${v} ${w}` ? "same" : "changed");
          map.set(name, `${v} ${w}`);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("the hash of a key", () => {
  it("is MurmurHash3 x86_128", () => {
    // From the reference implementation's published vectors, seed 0.
    const hash = { a: 0, b: 0, c: 0, d: 0 };
    const hex = (text: string) => {
      const bytes = Buffer.from(text);
      hashKey(bytes, 0, bytes.length, 0, [0, 0, 0, 0], hash);
      return [hash.a, hash.b, hash.c, hash.d]
        .map((part) => (part >>> 0).toString(16).padStart(8, "0"))
        .join("");
    };
    expect(hex("")).toBe("00000000000000000000000000000000");
    expect(hex("I will not buy this tobacconist's, it is scratched.")).toBe(
      "9b5b7ba2ef3f7866889adeaf00f3f98e",
    );
  });

  it("differs where id, row or seed differ", () => {
    const key = (id: string, row: number, seed: number) => {
      const hash = { a: 0, b: 0, c: 0, d: 0 };
      const bytes = Buffer.from(id);
      hashKey(bytes, 0, bytes.length, row, [seed, 0, 0, 0], hash);
      return `${hash.a} ${hash.b} ${hash.c}`;
    };
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.nat(100)), { maxLength: 50 }), (pairs) => {
        const different = new Set(pairs.map(([id, row]) => JSON.stringify([id, row])));
        expect(new Set(pairs.map(([id, row]) => key(id, row, 1))).size).toBe(different.size);
      }),
    );
    expect(key("a", 0, 1)).not.toBe(key("a", 0, 2));
  });
});
