import { bothShares } from "./shares.ts";

/**
 * L-infinity distance: the largest difference of a category's shares. In [0, 1].
 *
 * @param reference - Counts per category in the baseline. Length k >= 1, all >= 0, sum > 0.
 * @param current - Counts for the same categories in the window.
 * @throws RangeError when the lengths differ, a count is negative or NaN, or a side is empty.
 * @example
 * lInfinity([50, 50], [80, 20]); // 0.3
 */
export function lInfinity(reference: readonly number[], current: readonly number[]): number {
  const { p, q } = bothShares("l_infinity", reference, current);
  return p.reduce((largest, a, i) => Math.max(largest, Math.abs(a - (q[i] ?? 0))), 0);
}
