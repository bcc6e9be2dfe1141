import type { Random } from "../seeded-random.ts";

/** What a comparison of pairs came to. */
export interface PairedDifference {
  /** Mean of b - a over the pairs. */
  readonly mean: number;
  readonly interval: readonly [from: number, to: number];
  /** `no-difference` when the 95 % interval holds 0. */
  readonly verdict: "a-smaller" | "b-smaller" | "no-difference";
}

const DRAWS = 4_000;

/**
 * Compares pairs of windows that were measured one after the other, by drawing pairs again and again with replacement:
 * what changes from pair to pair (a busy neighbour, a warmer processor) is in both and falls out.
 *
 * With fewer than about 8 pairs the interval of the plain bootstrap is too narrow, so it is widened by Student's t over
 * the normal quantile.
 *
 * @param pairs - At least three.
 * @throws RangeError when there are fewer.
 * @see Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
 */
export function pairedBootstrap(
  pairs: readonly { readonly a: number; readonly b: number }[],
  random: Random,
): PairedDifference {
  if (pairs.length < 3) throw new RangeError(`pairedBootstrap: ${pairs.length} pairs, at least 3 are needed`);
  const differences = pairs.map(({ a, b }) => b - a);
  const n = differences.length;
  const mean = differences.reduce((sum, d) => sum + d, 0) / n;
  const means = Array.from({ length: DRAWS }, () => {
    let sum = 0;
    for (let i = 0; i < n; i += 1) sum += differences[Math.floor(random() * n)] as number; // within bounds
    return sum / n;
  }).sort((x, y) => x - y);
  const widen = widening(n);
  const at = (share: number) => means[Math.min(DRAWS - 1, Math.floor(share * DRAWS))] as number; // within bounds
  const from = mean - (mean - at(0.025)) * widen;
  const to = mean + (at(0.975) - mean) * widen;
  const verdict = from > 0 ? "a-smaller" : to < 0 ? "b-smaller" : "no-difference";
  return { mean, interval: [from, to], verdict };
}

/** t(0.975, n-1)/1.96, and the bootstrap's own sqrt(n/(n-1)). */
function widening(n: number): number {
  const student =
    [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262][n - 2] ?? 1.96 + 2.5 / (n - 1);
  return (student / 1.96) * Math.sqrt(n / (n - 1));
}
