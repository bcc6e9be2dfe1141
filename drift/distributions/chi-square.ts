import { gammaKernel } from "./gamma.ts";

const EPSILON = 2 ** -53;
/** Both expansions need some `8 sqrt(df)` terms near the mean. */
const MOST_TERMS = 10_000_000;

/**
 * Survival function of the chi-square distribution: P(X > x).
 *
 * The regularised upper incomplete gamma function Q(df/2, x/2), by its power series below the mean and by Lentz's
 * continued fraction above it; relative accuracy about 1e-12, also where the result is 1e-300 or df is 1e8.
 *
 * @param x - Value; 1 at or below 0.
 * @param df - Degrees of freedom, above 0, not necessarily whole.
 * @throws RangeError when df is not a positive number or x is NaN.
 * @see Abramowitz and Stegun (1964), 6.5.29 and 6.5.31; Press et al., Numerical Recipes, 6.2.
 * @example
 * chiSquareSurvival(3.841458820694124, 1); // 0.05
 */
export function chiSquareSurvival(x: number, df: number): number {
  if (!(df > 0) || df === Number.POSITIVE_INFINITY)
    throw new RangeError(`chi-square: ${df} degrees of freedom, expected a positive number`);
  if (Number.isNaN(x)) throw new RangeError("chi-square: x is NaN");
  if (x <= 0) return 1;
  if (x === Number.POSITIVE_INFINITY) return 0;
  const a = df / 2;
  const half = x / 2;
  return half < a + 1 ? 1 - lowerSeries(a, half) : upperFraction(a, half);
}

/**
 * The value that a chi-square variable passes with probability `upper`.
 *
 * @param upper - In [0, 1]; 0 gives infinity, 1 gives 0.
 * @throws RangeError when `upper` is outside [0, 1], or as for `chiSquareSurvival`.
 * @example
 * chiSquareQuantile(0.05, 1); // 3.84145882069
 */
export function chiSquareQuantile(upper: number, df: number): number {
  if (!(upper >= 0 && upper <= 1)) throw new RangeError(`chi-square: probability ${upper}, expected 0 to 1`);
  if (upper === 1) return 0;
  if (upper === 0) return Number.POSITIVE_INFINITY;
  let high = df;
  while (chiSquareSurvival(high, df) > upper) high *= 2;
  let low = high / 2;
  while (low > 0 && chiSquareSurvival(low, df) <= upper) low /= 2;
  high = Math.min(high, 2 * low);
  while (high - low > 2 * EPSILON * high) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (chiSquareSurvival(middle, df) > upper) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function lowerSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < MOST_TERMS && term > sum * EPSILON; n += 1) {
    term *= x / (a + n);
    sum += term;
  }
  return sum * gammaKernel(a, x);
}

function upperFraction(a: number, x: number): number {
  const kernel = gammaKernel(a, x);
  if (kernel === 0) return 0;
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < MOST_TERMS; i += 1) {
    const an = -i * (i - a);
    b += 2;
    d = 1 / nonZero(an * d + b, tiny);
    c = nonZero(b + an / c, tiny);
    const delta = d * c;
    h *= delta;
    if (Math.abs(delta - 1) <= EPSILON * 4) break;
  }
  return h * kernel;
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}
