/** Numbers in [0, 1) that are the same in every run (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Pieces that are likelier than random bytes to reach a corner. */
const TOKENS = [
  "[",
  "]",
  "{",
  "}",
  "[[[[[[[[",
  '"',
  "\\",
  ",",
  ":",
  "\n",
  "\r\n",
  ",,",
  "0",
  "-1",
  "-0",
  "1e999",
  "0.1",
  "NaN",
  "-Infinity",
  "null",
  "true",
  "9007199254740993",
  "18446744073709551616",
  "4294967296",
  "1000000000000000",
  '"__proto__":',
  '"b64":',
  '{"b64":"AP8="}',
  '"shape":[',
  '"data":',
  '"binary_data_size":',
  '"inputs":',
  '"columns":',
  '"\\ud800"',
  "\u0000",
  "é",
  "\ufeff",
].map((token) => new TextEncoder().encode(token));

/** The bytes with one to four changes: a bit flipped, a piece removed, repeated, moved, or a token put in. */
export function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  let changed = bytes;
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const from = below(changed.length + 1);
    const to = Math.min(changed.length, from + 1 + below(random() < 0.8 ? 8 : 200));
    const before = changed.subarray(0, from);
    const piece = changed.subarray(from, to);
    const after = changed.subarray(to);
    const token = TOKENS[below(TOKENS.length)] ?? piece;
    switch (below(6)) {
      case 0:
        changed = Buffer.concat([
          before,
          piece.map((byte, at) => (at === 0 ? byte ^ (1 << below(8)) : byte)),
          after,
        ]);
        break;
      case 1:
        changed = Buffer.concat([before, after]);
        break;
      case 2:
        changed = Buffer.concat([before, ...Array.from({ length: 2 + below(30) }, () => piece), after]);
        break;
      case 3:
        changed = Buffer.concat([after, piece, before]);
        break;
      case 4:
        changed = Buffer.concat([before, token, after]);
        break;
      default:
        changed = Buffer.concat([before, token, piece, after]);
    }
  }
  return changed;
}
