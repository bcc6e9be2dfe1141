import { binomialProbability } from "./binomial.ts";
import { logGamma } from "./gamma.ts";

/**
 * P(K > x) of the Kolmogorov distribution, the limit of sqrt(n) D.
 *
 * @example
 * kolmogorovSurvival(1.3580986393225505); // 0.05
 */
export function kolmogorovSurvival(x: number): number {
  if (Number.isNaN(x)) throw new RangeError("kolmogorov: x is NaN");
  if (x <= 0) return 1;
  if (x < 1) {
    // The theta-transformed series: quick where the alternating one is slow.
    const q = Math.exp(-(Math.PI ** 2) / (8 * x * x));
    return 1 - (Math.sqrt(2 * Math.PI) / x) * (q + q ** 9 + q ** 25 + q ** 49);
  }
  let sum = 0;
  for (let k = 1; k <= 10; k += 1) sum += (k % 2 === 1 ? 1 : -1) * Math.exp(-2 * k * k * x * x);
  return Math.min(1, 2 * sum);
}

/**
 * Two-sided p-value of a two-sample KS distance: the distribution of the one-sample statistic at
 * `round(n m / (n + m))` rows, as scipy's `ks_2samp(method="asymp")` has it.
 *
 * @param d - Distance in [0, 1].
 * @throws RangeError when d is outside [0, 1] or a size is below 1.
 * @see Simard and L'Ecuyer (2011), Journal of Statistical Software 39(11).
 * @example
 * ksTwoSampleP(0.5, 10, 10); // 0.112 (n = 5)
 */
export function ksTwoSampleP(d: number, n: number, m: number): number {
  if (!(d >= 0 && d <= 1 + 1e-12)) throw new RangeError(`KS distance ${d}: expected 0 to 1`);
  if (!(n >= 1 && m >= 1)) throw new RangeError(`KS p-value of ${n} and ${m} rows: at least 1 each`);
  return oneSampleSurvival(roundHalfEven((n * m) / (n + m)), Math.min(1, d));
}

/**
 * The KS distance whose two-sided p-value is `alpha` at these sizes: what two samples of one distribution pass with that
 * probability, rows being independent.
 *
 * @param alpha - In (0, 1).
 * @throws RangeError when alpha is outside (0, 1) or a size is below 1.
 * @example
 * ksCriticalValue(0.05, 1_000, 1_000); // 0.0603…
 */
export function ksCriticalValue(alpha: number, n: number, m: number): number {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`KS critical value: alpha ${alpha}, expected 0 to 1`);
  let low = 0;
  let high = 1;
  while (high - low > 1e-14 * high) {
    const middle = (low + high) / 2;
    if (ksTwoSampleP(middle, n, m) > alpha) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * P(D_n > d) of the one-sample two-sided statistic: Durbin's matrix, the expansion of Pelz and Good, or twice the one-sided
 * tail, each where Simard and L'Ecuyer (and scipy's `kstwo`) take it.
 */
function oneSampleSurvival(n: number, d: number): number {
  const t = n * d;
  if (n < 1 || t <= 0.5) return 1;
  if (d >= 1) return 0;
  if (t <= 1) return 1 - Math.exp(logGamma(n + 1) - n * Math.log(n) + n * Math.log(2 * t - 1));
  if (t >= n - 1) return 2 * (1 - d) ** n;
  const scaled = t * d; // n d^2
  if (scaled >= 370) return 0;
  // Twice the one-sided tail: what both sides share is below exp(-6 n d^2) of it.
  if (d >= 0.5 || scaled >= (n <= 140 ? 4 : 2.2)) return Math.min(1, 2 * oneSidedSurvival(n, d));
  if (n > 140 && scaled < 0.028) return 1; // P(D_n <= d) is below 1e-17
  if (n <= 140 || (n <= 100_000 && n * d ** 1.5 <= 1.4)) return Math.max(0, 1 - durbin(n, d));
  return Math.min(1, Math.max(0, 1 - pelzGood(n, d)));
}

/** Above this many rows Smirnov's sum gives way to its expansion, as in scipy: relative error below `z^4 / (2 n)`. */
const MANY_ROWS = 1_000_000;
/** As many terms of the sum are enough: it is a smooth function of j that falls to nothing at both ends. */
const TERMS = 2_000;

/**
 * P(D_n+ > d): Smirnov's exact sum `d * sum over j of Binomial(j; n, d + j / n) / (d + j / n)`. For many rows every so many-th
 * term is taken that many times, which is the trapezoid rule and exact to rounding for such a function.
 *
 * @see Smirnov (1944), Uspekhi Mat. Nauk 10; Maag and Dicaire (1971), Biometrika 58, for the expansion.
 */
function oneSidedSurvival(n: number, d: number): number {
  if (n > MANY_ROWS) return Math.exp(-((6 * n * d + 1) ** 2) / (18 * n));
  const most = Math.floor(n * (1 - d));
  const step = Math.max(1, Math.floor(most / TERMS));
  let sum = 0;
  for (let j = 0; j <= most; j += step) {
    const p = d + j / n;
    if (p < 1) sum += binomialProbability(j, n, p) / p;
  }
  return d * sum * step;
}

/** P(D_n <= d) by Durbin's matrix (Marsaglia, Tsang and Wang 2003), with the exponent kept apart. */
function durbin(n: number, d: number): number {
  const k = Math.ceil(n * d);
  const size = 2 * k - 1;
  const h = k - n * d;
  const start = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j < size; j += 1) start[i * size + j] = i - j + 1 < 0 ? 0 : 1;
  }
  for (let i = 0; i < size; i += 1) {
    start[i * size] = (start[i * size] ?? 0) - h ** (i + 1);
    start[(size - 1) * size + i] = (start[(size - 1) * size + i] ?? 0) - h ** (size - i);
  }
  start[(size - 1) * size] = (start[(size - 1) * size] ?? 0) + (2 * h > 1 ? (2 * h - 1) ** size : 0);
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j < size; j += 1) {
      for (let g = 2; g <= i - j + 1; g += 1) start[i * size + j] = (start[i * size + j] ?? 0) / g;
    }
  }
  const { matrix, exponent } = power(start, size, n);
  let result = matrix[(k - 1) * size + k - 1] ?? 0;
  let scale = exponent;
  for (let i = 1; i <= n; i += 1) {
    result = (result * i) / n;
    if (result < 1e-140) {
      result *= 1e140;
      scale -= 140;
    }
  }
  return result * 10 ** scale;
}

function power(base: Float64Array, size: number, n: number): { matrix: Float64Array; exponent: number } {
  if (n === 1) return { matrix: base, exponent: 0 };
  const half = power(base, size, Math.floor(n / 2));
  let matrix = multiply(half.matrix, half.matrix, size);
  let exponent = 2 * half.exponent;
  if (n % 2 === 1) matrix = multiply(base, matrix, size);
  if ((matrix[Math.floor(size / 2) * (size + 1)] ?? 0) > 1e140) {
    matrix = matrix.map((value) => value * 1e-140);
    exponent += 140;
  }
  return { matrix, exponent };
}

function multiply(a: Float64Array, b: Float64Array, size: number): Float64Array {
  const product = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) {
    for (let k = 0; k < size; k += 1) {
      const left = a[i * size + k] ?? 0;
      if (left === 0) continue;
      for (let j = 0; j < size; j += 1)
        product[i * size + j] = (product[i * size + j] ?? 0) + left * (b[k * size + j] ?? 0);
    }
  }
  return product;
}

/** P(D_n <= d) by the expansion of Pelz and Good (1976), Journal of the Royal Statistical Society B 38: for large n. */
function pelzGood(n: number, d: number): number {
  const z = Math.sqrt(n) * d;
  const z2 = z * z;
  const z4 = z2 * z2;
  const z6 = z4 * z2;
  const pi2 = Math.PI ** 2;
  const pi4 = pi2 ** 2;
  const pi6 = pi2 ** 3;
  let k0 = 0;
  let k1 = 0;
  let k2 = 0;
  let k3 = 0;
  for (let k = 0; k < 20; k += 1) {
    const m2 = (k + 0.5) ** 2;
    const e = Math.exp((-m2 * pi2) / (2 * z2));
    k0 += e;
    k1 += (pi2 * m2 - z2) * e;
    k2 += (6 * z6 + 2 * z4 + pi2 * (2 * z4 - 5 * z2) * m2 + pi4 * (1 - 2 * z2) * m2 * m2) * e;
    k3 +=
      (-30 * z6 -
        90 * z4 * z4 +
        pi2 * (135 * z4 - 96 * z6) * m2 +
        pi4 * (212 * z4 - 60 * z2) * m2 * m2 +
        pi6 * (5 - 30 * z2) * m2 ** 3) *
      e;
  }
  let k2Extra = 0;
  let k3Extra = 0;
  for (let k = 1; k < 20; k += 1) {
    const e = k * k * Math.exp((-k * k * pi2) / (2 * z2));
    k2Extra += e;
    k3Extra += (3 * z2 - pi2 * k * k) * e;
  }
  const root = Math.sqrt(2 * Math.PI);
  const half = Math.sqrt(Math.PI / 2);
  return (
    (root / z) * k0 +
    ((half / (3 * z4)) * k1) / Math.sqrt(n) +
    ((half / (36 * z ** 7)) * k2 - ((pi2 * half) / (18 * z ** 3)) * k2Extra) / n +
    ((half / (3_240 * z ** 10)) * k3 + ((pi2 * half) / (108 * z6)) * k3Extra) / n ** 1.5
  );
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
