import { bothShares } from "./shares.ts";

/**
 * Total variation distance: half the sum of the differences of shares; the share of rows that would have to move. In [0, 1].
 *
 * @param reference - Counts per category in the baseline. Length k >= 1, all >= 0, sum > 0.
 * @param current - Counts for the same categories in the window.
 * @throws RangeError when the lengths differ, a count is negative or NaN, or a side is empty.
 * @example
 * tvd([50, 30, 20], [20, 30, 50]); // 0.3
 */
export function tvd(reference: readonly number[], current: readonly number[]): number {
  const { p, q } = bothShares("tvd", reference, current);
  return p.reduce((sum, a, i) => sum + Math.abs(a - (q[i] ?? 0)), 0) / 2;
}
