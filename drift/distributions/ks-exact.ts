import { ksTwoSampleP } from "./kolmogorov.ts";

/** Beyond this scipy takes the asymptotic p-value. */
const MOST_EXACT_ROWS = 10_000;
/** Steps that an exact p-value may take: a tenth of a second. */
const MOST_STEPS = 2e7;

/**
 * Exact two-sided p-value of a two-sample KS distance, for independent rows without ties: the share of the ways to mix both
 * samples in which the distribution functions are somewhere at least as far apart. What scipy's `ks_2samp` gives while neither
 * sample has more than 10,000 rows. O(n m) steps.
 *
 * @param d - Distance in [0, 1].
 * @throws RangeError when d is outside [0, 1] or a size is no whole number above 0.
 * @see Hodges (1958), Arkiv för Matematik 3.
 * @example
 * ksExactP(0.5, 10, 10); // 0.1678
 */
export function ksExactP(d: number, n: number, m: number): number {
  if (!(d >= 0 && d <= 1 + 1e-12)) throw new RangeError(`KS distance ${d}: expected 0 to 1`);
  for (const size of [n, m]) {
    if (!(Number.isInteger(size) && size > 0)) throw new RangeError(`KS p-value of ${n} and ${m} rows`);
  }
  const divisor = greatestCommonDivisor(n, m);
  const stepX = m / divisor;
  const stepY = n / divisor;
  // Distances are whole multiples of 1 / lcm(n, m): compared as whole numbers, without rounding.
  const least = Math.round(d * n * stepX);
  if (least === 0) return 1;
  // passed[y]: the probability that a random path from (0, 0) to (x, y) has been `least` or more off the diagonal.
  const passed = new Float64Array(m + 1);
  for (let x = 0; x <= n; x += 1) {
    for (let y = 0; y <= m; y += 1) {
      if (Math.abs(x * stepX - y * stepY) >= least) passed[y] = 1;
      else if (x + y > 0) {
        const left = x > 0 ? (passed[y] ?? 0) * x : 0;
        const below = y > 0 ? (passed[y - 1] ?? 0) * y : 0;
        passed[y] = (left + below) / (x + y);
      }
    }
  }
  return passed[m] ?? 1;
}

/**
 * The p-value that scipy's `ks_2samp` picks by itself: exact up to 10,000 rows a side, asymptotic above; here asymptotic too where the exact
 * one would take more than 20 million steps (they differ by 2 % there).
 *
 * @throws RangeError as `ksExactP`.
 * @example
 * ksAutoP(0.5, 10, 10); // 0.1678
 */
export function ksAutoP(d: number, n: number, m: number): number {
  return Math.max(n, m) <= MOST_EXACT_ROWS && n * m <= MOST_STEPS ? ksExactP(d, n, m) : ksTwoSampleP(d, n, m);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
