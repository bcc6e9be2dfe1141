import { bothShares, floored } from "./shares.ts";

/**
 * Kullback–Leibler divergence of the window from the baseline, `sum q ln(q / p)`, in nats.
 * Not symmetric. Floored shares do not add up to 1 exactly, so that it can be below 0 by a hair.
 *
 * @param reference - Counts per bin in the baseline (p). Length k >= 1, all >= 0, sum > 0.
 * @param current - Counts for the same k bins in the window (q).
 * @param floor - Share given to an emptier bin, as for PSI.
 * @throws RangeError when the lengths differ, a count is negative or NaN, or a side is empty.
 * @see Kullback and Leibler (1951), Ann. Math. Stat. 22.
 * @example
 * kl([50, 50], [90, 10]); // 0.3681
 */
export function kl(reference: readonly number[], current: readonly number[], floor = 1e-4): number {
  const { p, q } = bothShares("kl", reference, current);
  const expected = floored(p, floor);
  return floored(q, floor).reduce((sum, o, i) => sum + o * Math.log(o / (expected[i] ?? floor)), 0);
}
