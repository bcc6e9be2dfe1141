import { cramerVonMisesSurvival } from "../distributions/cramer-von-mises.ts";

/** Sizes of two samples and, for each, the sum of squared differences between a value's rank in both and in its own. */
export interface RankSums {
  readonly n: number;
  readonly m: number;
  readonly ranksOfA: number;
  readonly ranksOfB: number;
}

/**
 * Two-sample Cramér–von Mises test from rank sums: statistic `T`, and its p-value in the limit for independent rows.
 *
 * @throws RangeError when a sample is empty.
 * @see Anderson (1962), Ann. Math. Stat. 33; Conover (1999), ch. 6; scipy `cramervonmises_2samp(method="asymptotic")`.
 * @example
 * // 1, 2, 3 against 4, 5, 6: ranks 1, 2, 3 and 4, 5, 6
 * cramerVonMisesTest({ n: 3, m: 3, ranksOfA: 0, ranksOfB: 27 }).value; // 0.8611
 */
export function cramerVonMisesTest({ n, m, ranksOfA, ranksOfB }: RankSums): {
  readonly value: number;
  readonly pValue: number;
} {
  if (!(n > 0 && m > 0)) throw new RangeError(`cramer_von_mises: a sample has no rows (${n} and ${m})`);
  const u = n * ranksOfA + m * ranksOfB;
  const k = n * m;
  const size = n + m;
  const value = u / (k * size) - (4 * k - 1) / (6 * size);
  const mean = (1 + 1 / size) / 6;
  const variance = ((size + 1) * (4 * k * size - 3 * (n * n + m * m) - 2 * k)) / (45 * size * size * 4 * k);
  const standard = 1 / 6 + (value - mean) / Math.sqrt(45 * variance);
  return { value, pValue: standard < 0.003 ? 1 : cramerVonMisesSurvival(standard) };
}
