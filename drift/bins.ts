import { quantileSorted } from "./statistics/quantile-edges.ts";

const FINE_BINS = 100;

/**
 * Edges of about a hundred quantile bins that refine the ten coarse ones: counts on them add up to
 * the coarse counts exactly, and their cumulative shares give KS within a hundredth.
 *
 * @param values - Sorted finite values, at least one.
 * @param coarse - The coarse edges; each is an edge of the result.
 * @example
 * fineEdges(Float64Array.of(0, 50, 100), [0, 50, 100]).length; // 101
 */
export function fineEdges(values: Float64Array, coarse: readonly number[]): number[] {
  const edges = new Set(coarse);
  const lowest = coarse[0] ?? 0;
  const highest = coarse.at(-1) ?? 0;
  for (let i = 1; i < FINE_BINS; i += 1) {
    const edge = quantileSorted(values, i / FINE_BINS);
    if (edge > lowest && edge < highest) edges.add(edge);
  }
  return [...edges].sort((a, b) => a - b);
}

/**
 * Counts on the coarse bins `(lo, hi]` from counts up to each fine edge; the first coarse bin takes its lower edge too.
 *
 * @example
 * coarsen([1, 2, 3, 4, 5], [0, 1, 2, 3, 4], [0, 2, 4]); // [6, 9]
 */
export function coarsen(
  counts: readonly number[],
  fine: readonly number[],
  coarse: readonly number[],
): number[] {
  const sums: number[] = new Array(Math.max(0, coarse.length - 1)).fill(0);
  let bin = 0;
  for (let i = 0; i < counts.length; i += 1) {
    const upper = fine[i] ?? Number.POSITIVE_INFINITY;
    while (bin < sums.length - 1 && upper > (coarse[bin + 1] ?? Number.POSITIVE_INFINITY)) bin += 1;
    sums[bin] = (sums[bin] ?? 0) + (counts[i] ?? 0);
  }
  return sums;
}
