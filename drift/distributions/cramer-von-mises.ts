import { logGamma } from "./chi-square.ts";

const TERMS = 40;

/**
 * P(W > x) of the limit of the Cramér–von Mises statistic: the series of Csörgő and Faraway in modified Bessel functions.
 *
 * @throws RangeError when x is NaN.
 * @see Csörgő and Faraway (1996), J. R. Statist. Soc. B 58, eq. 1.8; Anderson and Darling (1952).
 * @example
 * cramerVonMisesSurvival(0.46136); // 0.05
 */
export function cramerVonMisesSurvival(x: number): number {
  if (Number.isNaN(x)) throw new RangeError("cramer-von-mises: x is NaN");
  if (x <= 0) return 1;
  let sum = 0;
  for (let k = 0; k < TERMS; k += 1) {
    const weight = Math.exp(logGamma(k + 0.5) - logGamma(k + 1)) / (Math.PI ** 1.5 * Math.sqrt(x));
    const y = 4 * k + 1;
    const q = (y * y) / (16 * x);
    const term = weight * Math.sqrt(y) * Math.exp(-q) * besselKQuarter(q);
    sum += term;
    if (Math.abs(term) < 1e-17 * Math.abs(sum)) break;
  }
  return Math.min(1, Math.max(0, 1 - sum));
}

/**
 * The modified Bessel function K of order 1/4, for x > 0: the integral of `exp(-x cosh t) cosh(t / 4)` by the trapezoid rule,
 * which converges geometrically for this integrand.
 */
function besselKQuarter(x: number): number {
  const upper = Math.acosh(1 + 745 / x);
  const steps = 400;
  const h = upper / steps;
  let sum = 0.5 * Math.exp(-x);
  for (let i = 1; i <= steps; i += 1) {
    const t = i * h;
    sum += Math.exp(-x * Math.cosh(t)) * Math.cosh(t / 4);
  }
  return sum * h;
}
