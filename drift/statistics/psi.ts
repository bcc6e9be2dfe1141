import { bothShares, floored } from "./shares.ts";

/**
 * Population stability index: how far the share of rows per bin has moved.
 *
 * The Jeffreys divergence of the two binned distributions, in nats. 0 for equal shares, symmetric, without upper bound.
 *
 * @param reference - Counts per bin in the baseline. Length k >= 1, all >= 0, sum > 0.
 * @param current - Counts for the same k bins in the window.
 * @param floor - Share given to an emptier bin. A smaller floor makes an emptied bin weigh more.
 * @throws RangeError when the lengths differ, a count is negative or NaN, or a side is empty.
 * @see Siddiqi, Credit Risk Scorecards (2006); Jeffreys (1946), Proc. R. Soc. A 186.
 * @example
 * psi([25, 25, 25, 25], [10, 20, 30, 40]); // 0.2282
 */
export function psi(reference: readonly number[], current: readonly number[], floor = 1e-4): number {
  const { p, q } = bothShares("psi", reference, current);
  const expected = floored(p, floor);
  const observed = floored(q, floor);
  return expected.reduce((sum, e, i) => {
    const o = observed[i] ?? floor;
    return sum + (o - e) * Math.log(o / e);
  }, 0);
}
