import { cramerVonMisesTest } from "./cramer-von-mises.ts";

/** The statistics of two samples that need all their rows. */
export interface SortedSampleStatistics {
  /** Kolmogorov–Smirnov distance: the largest difference of the empirical distribution functions (scipy `ks_2samp`). */
  readonly ks: number;
  /** Wasserstein-1 distance in the unit of the values: the area between them (scipy `wasserstein_distance`). */
  readonly wasserstein: number;
  /** Energy distance: the root of twice the integral of the squared difference (scipy `energy_distance`). */
  readonly energy: number;
  /** Cramér–von Mises statistic with midranks and its asymptotic p-value (scipy `cramervonmises_2samp`). */
  readonly cramer_von_mises: { readonly value: number; readonly pValue: number };
}

/**
 * All four statistics in one walk over both samples: O(n + m), nothing allocated per row.
 *
 * @param a - Sorted ascending, finite, at least one value.
 * @param b - Likewise.
 * @throws RangeError when a sample is empty.
 * @see Smirnov (1939); Vallender (1974), Theory Probab. Appl. 18; Székely and Rizzo (2013), J. Stat. Plan. Inference 143;
 *   Anderson (1962), Ann. Math. Stat. 33.
 * @example
 * sortedSampleStatistics(Float64Array.of(0, 1, 3), Float64Array.of(5, 6, 8)).wasserstein; // 5
 */
export function sortedSampleStatistics(a: Float64Array, b: Float64Array): SortedSampleStatistics {
  const n = a.length;
  const m = b.length;
  if (n === 0 || m === 0) throw new RangeError(`a sample has no rows (${n} and ${m})`);
  let i = 0;
  let j = 0;
  let gap = 0;
  let largest = 0;
  let absolute = 0;
  let squared = 0;
  let ranksOfA = 0;
  let ranksOfB = 0;
  let last = Math.min(a[0] as number, b[0] as number);
  while (i < n || j < m) {
    const x = i < n ? (a[i] as number) : Number.POSITIVE_INFINITY;
    const y = j < m ? (b[j] as number) : Number.POSITIVE_INFINITY;
    const value = x < y ? x : y;
    const width = value - last;
    absolute += (gap < 0 ? -gap : gap) * width;
    squared += gap * gap * width;
    last = value;
    const fromA = i;
    const fromB = j;
    if (x === value)
      do i += 1;
      while (i < n && a[i] === value);
    if (y === value)
      do j += 1;
      while (j < m && b[j] === value);
    gap = i / n - j / m;
    if (gap > largest) largest = gap;
    else if (-gap > largest) largest = -gap;
    // All tied values share the mean of the ranks they take: fromA + fromB + 1 … i + j.
    const rank = (fromA + fromB + 1 + i + j) / 2;
    if (i > fromA) ranksOfA += squaredGaps(rank, fromA, i);
    if (j > fromB) ranksOfB += squaredGaps(rank, fromB, j);
  }
  return {
    ks: largest,
    wasserstein: absolute,
    energy: Math.sqrt(2 * squared),
    cramer_von_mises: cramerVonMisesTest({ n, m, ranksOfA, ranksOfB }),
  };
}

/** Sum of `(rank - own)^2` over own = from + 1 … to, in closed form. */
function squaredGaps(rank: number, from: number, to: number): number {
  const count = to - from;
  const off = rank - (from + 1 + to) / 2;
  return count === 1 ? off * off : count * off * off + (count * (count * count - 1)) / 12;
}
