import { logGamma } from "./chi-square.ts";

/**
 * P(X >= k) of a binomial variable: n independent trials of probability p. Summed from the largest term outwards.
 *
 * @throws RangeError when n is no whole number >= 0 or p is not in [0, 1].
 * @example
 * binomialUpperTail(7, 200, 0.01); // 0.0042…
 */
export function binomialUpperTail(k: number, n: number, p: number): number {
  if (!Number.isInteger(n) || n < 0) throw new RangeError(`binomial: ${n} trials`);
  if (!(p >= 0 && p <= 1)) throw new RangeError(`binomial: probability ${p}`);
  if (k <= 0) return 1;
  if (k > n || p === 0) return 0;
  if (p === 1) return 1;
  if (k <= n * p) return 1 - sumFrom(n - k + 1, n, 1 - p);
  return sumFrom(k, n, p);
}

function sumFrom(k: number, n: number, p: number): number {
  const log =
    logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1) + k * Math.log(p) + (n - k) * Math.log1p(-p);
  let term = Math.exp(log);
  let sum = term;
  for (let i = k; i < n && term > sum * 1e-17; i += 1) {
    term *= ((n - i) / (i + 1)) * (p / (1 - p));
    sum += term;
  }
  return Math.min(1, sum);
}
