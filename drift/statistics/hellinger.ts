import { bothShares } from "./shares.ts";

/**
 * Hellinger distance: Euclidean distance of the root shares, divided by the root of 2. In [0, 1], a metric.
 *
 * @param reference - Counts per bin in the baseline. Length k >= 1, all >= 0, sum > 0.
 * @param current - Counts for the same k bins in the window.
 * @throws RangeError when the lengths differ, a count is negative or NaN, or a side is empty.
 * @see Hellinger (1909), J. reine angew. Math. 136.
 * @example
 * hellinger([16, 18, 16, 14, 12, 12], [16, 16, 16, 16, 16, 8]); // 0.0681
 */
export function hellinger(reference: readonly number[], current: readonly number[]): number {
  const { p, q } = bothShares("hellinger", reference, current);
  return Math.sqrt(p.reduce((sum, a, i) => sum + (Math.sqrt(a) - Math.sqrt(q[i] ?? 0)) ** 2, 0) / 2);
}
