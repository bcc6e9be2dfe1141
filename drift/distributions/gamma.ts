/** Coefficients of the Stirling series, B(2k) / (2k (2k - 1)). */
const STIRLING = [
  1 / 12,
  -1 / 360,
  1 / 1_260,
  -1 / 1_680,
  1 / 1_188,
  -691 / 360_360,
  1 / 156,
  -3_617 / 122_400,
];
/** From here on the series above is exact to the last digit. */
const SERIES_FROM = 15;
const HALF_LOG_TAU = 0.5 * Math.log(2 * Math.PI);

/**
 * Logarithm of the gamma function for x > 0: the Stirling series above 15, the recurrence below.
 *
 * @throws RangeError when x is not above 0.
 * @example
 * logGamma(0.5); // 0.57236494292
 */
export function logGamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`logGamma: ${x}, expected a positive number`);
  let shift = 1;
  let z = x;
  while (z < SERIES_FROM) {
    shift *= z;
    z += 1;
  }
  return (z - 0.5) * Math.log(z) - z + HALF_LOG_TAU + series(z) - Math.log(shift);
}

function series(z: number): number {
  const inverse = 1 / (z * z);
  let sum = 0;
  for (let k = STIRLING.length - 1; k >= 0; k -= 1) sum = sum * inverse + (STIRLING[k] ?? 0);
  return sum / z;
}

/**
 * What Stirling's formula leaves out: `ln x! - ((x + 1/2) ln x - x + ln(2 pi) / 2)` for x > 0.
 *
 * Factorials of large numbers are huge and their ratios are not: with the huge parts cancelled on paper, ratios keep all
 * their digits.
 *
 * @see Loader (2000), Fast and Accurate Computation of Binomial Probabilities.
 * @example
 * stirlingError(1); // 0.08106146680
 */
export function stirlingError(x: number): number {
  if (x >= SERIES_FROM) return series(x);
  return logGamma(x + 1) - (x + 0.5) * Math.log(x) + x - HALF_LOG_TAU;
}

/**
 * Loader's deviance part `x ln(x / m) + m - x`, for x >= 0 and m > 0, without cancellation where x is near m.
 *
 * @see Loader (2000), as for `stirlingError`.
 * @example
 * deviance(2, 1); // 0.3862943611198906
 */
export function deviance(x: number, m: number): number {
  if (x === 0) return m;
  const gap = x - m;
  if (Math.abs(gap) >= 0.1 * (x + m)) return x * Math.log(x / m) - gap;
  const v = gap / (x + m);
  let sum = gap * v;
  let power = 2 * x * v;
  for (let j = 3; j < 1_000; j += 2) {
    power *= v * v;
    const next = sum + power / j;
    if (next === sum) break;
    sum = next;
  }
  return sum;
}

/**
 * `x^a e^-x / Gamma(a)` for a, x > 0: exact to some 1e-15 of its exponent for any size of a.
 *
 * @example
 * gammaKernel(1, 2); // 0.27067056647, which is 2 / e^2
 */
export function gammaKernel(a: number, x: number): number {
  if (a < 1) return a * Math.exp(a * Math.log(x) - x - logGamma(a + 1));
  return Math.sqrt(a / (2 * Math.PI)) * Math.exp(-stirlingError(a) - deviance(a, x));
}
