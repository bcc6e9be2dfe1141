import { chiSquareQuantile } from "./chi-square.ts";
import { deviance, stirlingError } from "./gamma.ts";

/**
 * P(X >= k) of a binomial variable: n independent trials of probability p. Summed from the largest term outwards.
 *
 * @throws RangeError when n is no whole number >= 0 or p is not in [0, 1].
 * @see Loader (2000), Fast and Accurate Computation of Binomial Probabilities.
 * @example
 * binomialUpperTail(7, 200, 0.01); // 0.0042…
 */
export function binomialUpperTail(k: number, n: number, p: number): number {
  if (!Number.isInteger(n) || n < 0) throw new RangeError(`binomial: ${n} trials`);
  if (!(p >= 0 && p <= 1)) throw new RangeError(`binomial: probability ${p}`);
  if (Number.isNaN(k)) throw new RangeError("binomial: k is NaN");
  const from = Math.ceil(k);
  if (from <= 0) return 1;
  if (from > n || p === 0) return 0;
  if (p === 1) return 1;
  if (from <= n * p) return 1 - sumFrom(n - from + 1, n, 1 - p);
  return sumFrom(from, n, p);
}

function sumFrom(k: number, n: number, p: number): number {
  let term = binomialProbability(k, n, p);
  let sum = term;
  for (let i = k; i < n && term > sum * 1e-17; i += 1) {
    term *= ((n - i) / (i + 1)) * (p / (1 - p));
    sum += term;
  }
  return Math.min(1, sum);
}

/**
 * P(X = k) of a binomial variable, for whole 0 <= k <= n and p in (0, 1); by Loader's saddle-point form, which keeps its
 * digits at any n.
 *
 * @example
 * binomialProbability(5, 10, 0.5); // 0.24609375
 */
export function binomialProbability(k: number, n: number, p: number): number {
  if (k === 0) return Math.exp(n * Math.log1p(-p));
  if (k === n) return p ** n;
  const rest = n - k;
  return (
    Math.sqrt(n / (2 * Math.PI * k * rest)) *
    Math.exp(
      stirlingError(n) -
        stirlingError(k) -
        stirlingError(rest) -
        deviance(k, n * p) -
        deviance(rest, n * (1 - p)),
    )
  );
}

/**
 * Wilson's score interval of a share: k of n.
 *
 * @param confidence - Such as 0.95, in (0, 1).
 * @throws RangeError when n < 1, k is outside 0 to n, or the confidence is outside (0, 1).
 * @see Wilson (1927), J. Am. Stat. Assoc. 22; Brown, Cai and DasGupta (2001), Statistical Science 16.
 * @example
 * wilsonInterval(2, 200, 0.95); // { low: 0.0027…, high: 0.0357… }
 */
export function wilsonInterval(
  k: number,
  n: number,
  confidence: number,
): { readonly low: number; readonly high: number } {
  if (!(n >= 1) || !(k >= 0 && k <= n)) throw new RangeError(`wilson: ${k} of ${n}`);
  if (!(confidence > 0 && confidence < 1))
    throw new RangeError(`wilson: confidence ${confidence}, expected a share between 0 and 1`);
  const z2 = chiSquareQuantile(1 - confidence, 1); // the square of the two-sided normal quantile
  const share = k / n;
  const centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = Math.sqrt((z2 / n) * (share * (1 - share) + z2 / (4 * n))) / (1 + z2 / n);
  return { low: k === 0 ? 0 : centre - half, high: k === n ? 1 : centre + half };
}
