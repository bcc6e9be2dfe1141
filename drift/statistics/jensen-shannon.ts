import { bothShares } from "./shares.ts";

/**
 * Jensen–Shannon distance: the square root of the base-2 divergence of both sides from their mean.
 * A metric; 0 for equal shares, 1 when no bin is shared.
 *
 * @param reference - Counts per bin in the baseline. Length k >= 1, all >= 0, sum > 0.
 * @param current - Counts for the same k bins in the window.
 * @throws RangeError when the lengths differ, a count is negative or NaN, or a side is empty.
 * @see Lin (1991), IEEE Trans. Inf. Theory 37; Endres and Schindelin (2003), ibid. 49.
 * @example
 * jensenShannonDistance([1, 1], [1, 0]); // 0.5579
 */
export function jensenShannonDistance(reference: readonly number[], current: readonly number[]): number {
  const { p, q } = bothShares("jensen_shannon", reference, current);
  const divergence = p.reduce((sum, a, i) => {
    const b = q[i] ?? 0;
    const middle = (a + b) / 2;
    return (
      sum + (a > 0 ? (a / 2) * Math.log2(a / middle) : 0) + (b > 0 ? (b / 2) * Math.log2(b / middle) : 0)
    );
  }, 0);
  return Math.sqrt(Math.min(1, Math.max(0, divergence)));
}
