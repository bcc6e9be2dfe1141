import type { Storage } from "./preset.ts";

/**
 * Edges of so many bins of one width, as `numpy.linspace` has them.
 *
 * @example
 * evenEdges(0, 1, 4); // [0, 0.25, 0.5, 0.75, 1]
 */
export function evenEdges(from: number, to: number, bins: number): number[] {
  const step = (to - from) / bins;
  return Array.from({ length: bins + 1 }, (_, i) => (i === bins ? to : i * step + from));
}

/**
 * Rows per bin `[lo, hi)`, the last one `[lo, hi]`, as `numpy.histogram` counts them; values outside are in none.
 *
 * @param sorted - Finite values, ascending.
 * @example
 * countInBins(Float64Array.of(0, 1, 1, 2, 3), [0, 1, 2]); // [1, 3]
 */
export function countInBins(sorted: Float64Array, edges: readonly number[]): number[] {
  const counts: number[] = [];
  let from = rowsBelow(sorted, edges[0] ?? 0);
  for (let i = 1; i < edges.length; i += 1) {
    const edge = edges[i] ?? 0;
    const to = i === edges.length - 1 ? sorted.length - rowsAbove(sorted, edge) : rowsBelow(sorted, edge);
    counts.push(to - from);
    from = to;
  }
  return counts;
}

/**
 * Sturges' bins as `numpy.histogram_bin_edges(values, "sturges")` makes them: `log2(n) + 1` bins, rounded up, between the
 * smallest and the largest value; one bin of width 1 around a constant.
 *
 * @param size - How many values there are (n).
 * @param storage - For whole numbers numpy makes no bin narrower than 1 (since 2.0).
 * @see Sturges (1926), J. Am. Stat. Assoc. 21.
 * @example
 * sturgesEdges({ min: 0, max: 8, size: 8, storage: "other" }).length; // 5: log2(8) + 1 bins
 */
export function sturgesEdges({
  min,
  max,
  size,
  storage,
}: {
  readonly min: number;
  readonly max: number;
  readonly size: number;
  readonly storage: Storage;
}): number[] {
  const width = (max - min) / (Math.log2(size) + 1);
  return edgesOfWidth(min, max, storage === "whole" && width > 0 ? Math.max(1, width) : width);
}

/**
 * Doane's bins as `numpy.histogram_bin_edges(values, "doane")` makes them: Sturges' with more of them the more skewed the values
 * are, `1 + log2(n) + log2(1 + |g1| / s)` with `g1` the skewness and `s = sqrt(6 (n - 2) / ((n + 1) (n + 3)))`.
 *
 * @param sorted - Finite values, ascending, at least one.
 * @throws RangeError when there is no value.
 * @see Doane (1976), The American Statistician 30.
 * @example
 * doaneEdges(Float64Array.of(0, 0, 0, 0, 0, 0, 0, 8)).length; // 8
 */
export function doaneEdges(sorted: Float64Array): number[] {
  const n = sorted.length;
  if (n === 0) throw new RangeError("doane: no value");
  const min = sorted[0] ?? 0;
  const max = sorted[n - 1] ?? 0;
  let sum = 0;
  for (const value of sorted) sum += value;
  const mean = sum / n;
  let squares = 0;
  for (const value of sorted) squares += (value - mean) ** 2;
  const sigma = Math.sqrt(squares / n);
  if (n <= 2 || !(sigma > 0)) return edgesOfWidth(min, max, 0);
  let cubes = 0;
  for (const value of sorted) cubes += ((value - mean) / sigma) ** 3;
  const skew = Math.abs(cubes / n);
  const spread = Math.sqrt((6 * (n - 2)) / ((n + 1) * (n + 3)));
  return edgesOfWidth(min, max, (max - min) / (1 + Math.log2(n) + Math.log2(1 + skew / spread)));
}

function edgesOfWidth(min: number, max: number, width: number): number[] {
  if (min === max) return [min - 0.5, max + 0.5];
  return evenEdges(min, max, width > 0 ? Math.ceil((max - min) / width) : 1);
}

/**
 * How many of the sorted values are below `limit`.
 *
 * @example
 * rowsBelow(Float64Array.of(1, 2, 2, 3), 2); // 1
 */
export function rowsBelow(sorted: Float64Array, limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

function rowsAbove(sorted: Float64Array, limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return sorted.length - low;
}

/**
 * Rows per distinct value of both sides.
 *
 * @example
 * pairCounts(new Map([["a", 2]]), new Map([["b", 1]])); // { reference: [2, 0], current: [0, 1] }
 */
export function pairCounts<Key>(
  reference: ReadonlyMap<Key, number>,
  current: ReadonlyMap<Key, number>,
): { readonly reference: number[]; readonly current: number[] } {
  const keys = [...new Set([...reference.keys(), ...current.keys()])];
  return {
    reference: keys.map((key) => reference.get(key) ?? 0),
    current: keys.map((key) => current.get(key) ?? 0),
  };
}

/**
 * How often each number occurs, smallest first.
 *
 * @example
 * [...distinctCounts(Float64Array.of(1, 1, 2))]; // [[1, 2], [2, 1]]
 */
export function distinctCounts(sorted: Float64Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (let i = 0; i < sorted.length; ) {
    const value = sorted[i] ?? 0;
    let to = i + 1;
    while (to < sorted.length && sorted[to] === value) to += 1;
    counts.set(value, to - i);
    i = to;
  }
  return counts;
}
