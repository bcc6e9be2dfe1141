import { logGamma } from "./gamma.ts";

const BESSEL_TERMS = 40;
const TAIL_NODES = 200;

/**
 * P(W > x) of the limit of the Cramér–von Mises statistic. Small values by Csörgő and Faraway's series in modified Bessel
 * functions (scipy's); larger ones by Smirnov's integrals, which keep their digits far in the tail where `1 - P(W <= x)` has none.
 *
 * @throws RangeError when x is NaN.
 * @see Csörgő and Faraway (1996), J. R. Statist. Soc. B 58, eq. 1.8; Smirnov (1936), C. R. Acad. Sci. Paris 202;
 *   Anderson and Darling (1952), Ann. Math. Stat. 23.
 * @example
 * cramerVonMisesSurvival(0.46136); // 0.05
 */
export function cramerVonMisesSurvival(x: number): number {
  if (Number.isNaN(x)) throw new RangeError("cramer-von-mises: x is NaN");
  if (x <= 0) return 1;
  return Math.min(1, Math.max(0, x < 0.4 ? 1 - lowerSeries(x) : upperSeries(x)));
}

function lowerSeries(x: number): number {
  let sum = 0;
  for (let k = 0; k < BESSEL_TERMS; k += 1) {
    const weight = Math.exp(logGamma(k + 0.5) - logGamma(k + 1)) / (Math.PI ** 1.5 * Math.sqrt(x));
    const y = 4 * k + 1;
    const q = (y * y) / (16 * x);
    const term = weight * Math.sqrt(y) * Math.exp(-q) * besselKQuarter(q);
    sum += term;
    if (Math.abs(term) < 1e-17 * Math.abs(sum)) break;
  }
  return sum;
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

/**
 * `2 / pi` times the alternating sum of the integrals of `exp(-x u^2 / 2) / sqrt(-u sin u)` from `(2k - 1) pi` to `2k pi`.
 * The root at both ends is the weight of Gauss and Chebyshev's quadrature.
 */
function upperSeries(x: number): number {
  let sum = 0;
  for (let k = 1; k <= 4; k += 1) {
    const centre = (2 * k - 0.5) * Math.PI;
    let integral = 0;
    for (let node = 0; node < TAIL_NODES; node += 1) {
      const angle = ((node + 0.5) * Math.PI) / TAIL_NODES;
      const t = Math.cos(angle);
      const u = centre + (Math.PI / 2) * t;
      // cos(pi t / 2) through half angles: near the ends, where it is small, it keeps its digits.
      const cosine = Math.sin(Math.PI * Math.min(Math.sin(angle / 2) ** 2, Math.cos(angle / 2) ** 2));
      const root = Math.sin(angle) / Math.sqrt(cosine);
      integral += (root * Math.exp((-x * u * u) / 2)) / Math.sqrt(u);
    }
    sum += (k % 2 === 1 ? 1 : -1) * integral * (Math.PI / TAIL_NODES) * (Math.PI / 2);
  }
  return (2 / Math.PI) * sum;
}
