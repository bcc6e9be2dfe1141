import { bothShares } from "./shares.ts";

/**
 * Kolmogorov–Smirnov distance read at the edges of bins: the largest difference of the cumulative shares. At most the exact
 * distance, and less than it by at most the largest share of a bin.
 *
 * @param reference - Counts per bin in the baseline, in order of the bins. Length k >= 1, all >= 0, sum > 0.
 * @param current - Counts for the same bins in the window.
 * @throws RangeError when the lengths differ, a count is negative or NaN, or a side is empty.
 * @example
 * ksFromBins([25, 25, 25, 25], [10, 20, 30, 40]); // 0.2
 */
export function ksFromBins(reference: readonly number[], current: readonly number[]): number {
  const { p, q } = bothShares("ks", reference, current);
  let gap = 0;
  return p.reduce((largest, a, i) => {
    gap += (q[i] ?? 0) - a;
    return Math.max(largest, Math.abs(gap));
  }, 0);
}
