import { cramerVonMisesSurvival } from "../distributions/cramer-von-mises.ts";

/**
 * Two-sample Cramér–von Mises test: statistic `T` with midranks for ties, p-value asymptotic for independent rows.
 *
 * @param a - Sorted ascending, finite, at least one value. @param b - Likewise.
 * @throws RangeError when a sample is empty.
 * @see Anderson (1962), Ann. Math. Stat. 33; Conover (1999), ch. 6; scipy `cramervonmises_2samp(method="asymptotic")`.
 * @example
 * cramerVonMises(Float64Array.of(1, 2, 3), Float64Array.of(4, 5, 6)).value; // 0.6389
 */
export function cramerVonMises(
  a: Float64Array,
  b: Float64Array,
): { readonly value: number; readonly pValue: number } {
  if (a.length === 0 || b.length === 0)
    throw new RangeError(`cramer_von_mises: a sample has no rows (${a.length} and ${b.length})`);
  const n = a.length;
  const m = b.length;
  let i = 0;
  let j = 0;
  let ofA = 0;
  let ofB = 0;
  while (i < n || j < m) {
    const x = i < n ? (a[i] as number) : Number.POSITIVE_INFINITY;
    const y = j < m ? (b[j] as number) : Number.POSITIVE_INFINITY;
    const value = x < y ? x : y;
    const fromA = i;
    const fromB = j;
    while (i < n && a[i] === value) i += 1;
    while (j < m && b[j] === value) j += 1;
    // All tied values share the mean of the ranks they take: fromA + fromB + 1 … i + j.
    const rank = (fromA + fromB + 1 + i + j) / 2;
    ofA += squaredGaps(rank, fromA, i);
    ofB += squaredGaps(rank, fromB, j);
  }
  const u = n * ofA + m * ofB;
  const k = n * m;
  const size = n + m;
  const value = u / (k * size) - (4 * k - 1) / (6 * size);
  const mean = (1 + 1 / size) / 6;
  const variance = ((size + 1) * (4 * k * size - 3 * (n * n + m * m) - 2 * k)) / (45 * size * size * 4 * k);
  const standard = 1 / 6 + (value - mean) / Math.sqrt(45 * variance);
  return { value, pValue: standard < 0.003 ? 1 : cramerVonMisesSurvival(standard) };
}

/** Sum of `(rank - own)^2` over own = from + 1 … to, in closed form. */
function squaredGaps(rank: number, from: number, to: number): number {
  const count = to - from;
  if (count === 0) return 0;
  const centre = (from + 1 + to) / 2;
  return count * (rank - centre) ** 2 + (count * (count * count - 1)) / 12;
}
