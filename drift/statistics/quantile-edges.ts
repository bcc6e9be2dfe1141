/**
 * Quantile of sorted values by linear interpolation (Hyndman and Fan's type 7; numpy's and R's default).
 *
 * @param sorted - Ascending, at least one value.
 * @param q - Probability in [0, 1].
 * @throws RangeError when there is no value or q is outside [0, 1].
 * @see Hyndman and Fan (1996), The American Statistician 50.
 * @example
 * quantileSorted(Float64Array.of(1, 2, 3, 4), 0.5); // 2.5
 */
export function quantileSorted(sorted: Float64Array | readonly number[], q: number): number {
  if (sorted.length === 0) throw new RangeError("quantile of no values");
  if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile ${q}: expected 0 to 1`);
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] ?? 0;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? low;
  const part = position - below;
  if (!Number.isFinite(high - low)) return low * (1 - part) + high * part; // the widest spans of doubles
  // From the nearer end, as numpy does: equal neighbours give exactly their value, and the ends are met.
  return part >= 0.5 ? high - (high - low) * (1 - part) : low + (high - low) * part;
}

/**
 * Edges of `bins` bins that hold equal shares of the sorted values; duplicates removed, so that a nearly
 * constant column has fewer. One edge only when all values are equal.
 *
 * @example
 * quantileEdges(Float64Array.of(0, 1, 2, 3, 4), 2); // [0, 2, 4]
 */
export function quantileEdges(sorted: Float64Array | readonly number[], bins: number): number[] {
  const edges = Array.from({ length: bins + 1 }, (_, i) => quantileSorted(sorted, i / bins));
  return edges.filter((edge, i) => i === 0 || edge > (edges[i - 1] ?? edge));
}
