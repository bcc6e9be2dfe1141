import { chiSquareSurvival } from "../distributions/chi-square.ts";
import { bothShares } from "./shares.ts";

export interface ChiSquareTest {
  readonly value: number;
  readonly degreesOfFreedom: number;
  readonly pValue: number;
}

/**
 * Chi-square test of a 2 x k contingency table (baseline and window by category), without continuity correction.
 * Categories that are empty on both sides are left out; with one category left the value is 0 and the p-value 1.
 *
 * @param reference - Counts per category in the baseline. Length k >= 1, all >= 0, sum > 0.
 * @param current - Counts for the same categories in the window.
 * @throws RangeError when the lengths differ, a count is negative or NaN, or a side is empty.
 * @see Pearson (1900); scipy `chi2_contingency(table, correction=False)`.
 * @example
 * chiSquare([16, 18, 16, 14, 12, 12], [16, 16, 16, 16, 16, 8]).value; // 1.6224
 */
export function chiSquare(reference: readonly number[], current: readonly number[]): ChiSquareTest {
  bothShares("chi_square", reference, current);
  const m = reference.reduce((sum, count) => sum + count, 0);
  const n = current.reduce((sum, count) => sum + count, 0);
  let value = 0;
  let categories = 0;
  reference.forEach((a, i) => {
    const b = current[i] ?? 0;
    if (a + b === 0) return;
    categories += 1;
    const expectedA = ((a + b) * m) / (m + n);
    const expectedB = ((a + b) * n) / (m + n);
    value += (a - expectedA) ** 2 / expectedA + (b - expectedB) ** 2 / expectedB;
  });
  const degreesOfFreedom = categories - 1;
  return {
    value,
    degreesOfFreedom,
    pValue: degreesOfFreedom < 1 ? 1 : chiSquareSurvival(value, degreesOfFreedom),
  };
}
