const EPSILON = 2 ** -53;
const MOST_TERMS = 100_000;

/**
 * Survival function of the chi-square distribution: P(X > x).
 *
 * The regularised upper incomplete gamma function Q(df/2, x/2), by its power series below the mean and by Lentz's
 * continued fraction above it; relative accuracy about 1e-12 also far in the tail.
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
 * @example
 * chiSquareQuantile(0.05, 1); // 3.841458820694124
 */
export function chiSquareQuantile(upper: number, df: number): number {
  if (!(upper >= 0 && upper <= 1)) throw new RangeError(`chi-square: probability ${upper}, expected 0 to 1`);
  if (upper === 1) return 0;
  if (upper === 0) return Number.POSITIVE_INFINITY;
  let low = 0;
  let high = Math.max(1, df);
  while (chiSquareSurvival(high, df) > upper) {
    low = high;
    high *= 2;
  }
  for (let i = 0; i < 200 && high - low > high * 1e-14; i += 1) {
    const middle = (low + high) / 2;
    if (chiSquareSurvival(middle, df) > upper) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** `x^a e^-x / Gamma(a)`, in logarithms where the factors would overflow. */
function prefactor(a: number, x: number): number {
  return Math.exp(a * Math.log(x) - x - logGamma(a));
}

function lowerSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < MOST_TERMS && Math.abs(term) > Math.abs(sum) * EPSILON; n += 1) {
    term *= x / (a + n);
    sum += term;
  }
  return sum * prefactor(a, x);
}

function upperFraction(a: number, x: number): number {
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
  return h * prefactor(a, x);
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

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

/**
 * Logarithm of the gamma function for x > 0: the Stirling series above 15, the recurrence below.
 *
 * @example
 * logGamma(0.5); // 0.5723649429247001
 */
export function logGamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`logGamma: ${x}, expected a positive number`);
  let shift = 1;
  let z = x;
  while (z < 15) {
    shift *= z;
    z += 1;
  }
  const inverse = 1 / (z * z);
  let series = 0;
  for (let k = STIRLING.length - 1; k >= 0; k -= 1) series = series * inverse + (STIRLING[k] ?? 0);
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series / z - Math.log(shift);
}
