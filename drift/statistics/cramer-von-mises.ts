import { cramerVonMisesSurvival } from "../distributions/cramer-von-mises.ts";

/**
 * Asymptotic p-value of the two-sample Cramér–von Mises statistic `T` for samples of n and m independent rows: T brought to the
 * limit's mean and variance, then looked up in the limit. As in scipy the variance is that of samples without ties: where most
 * values are one value and the sizes differ, the p-value is far too small. No verdict rests on it.
 *
 * @param value - T, as `sortedSampleStatistics` has it.
 * @throws RangeError when a size is below 1 or T is NaN.
 * @see Anderson (1962), Ann. Math. Stat. 33; Conover (1999), ch. 6; scipy `cramervonmises_2samp(method="asymptotic")`.
 * @example
 * cramerVonMisesP(19 / 36, 3, 3); // 0.0307…
 */
export function cramerVonMisesP(value: number, n: number, m: number): number {
  if (!(n >= 1 && m >= 1))
    throw new RangeError(`Cramér–von Mises p-value of ${n} and ${m} rows: at least 1 each`);
  const k = n * m;
  const size = n + m;
  const mean = (1 + 1 / size) / 6;
  const variance = ((size + 1) * (4 * k * size - 3 * (n * n + m * m) - 2 * k)) / (45 * size * size * 4 * k);
  if (variance <= 0) return 1; // one row each: T cannot vary
  const standard = 1 / 6 + (value - mean) / Math.sqrt(45 * variance);
  return standard < 0.003 ? 1 : cramerVonMisesSurvival(standard);
}
