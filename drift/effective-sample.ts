import { total } from "./scaled-distance.ts";

/** What a weighted sample is worth as evidence. */
export interface EffectiveSample {
  /** So many rows, each standing for itself. */
  readonly size: number;
  /** Degrees of freedom that are left of the k - 1 of as many independent rows. */
  readonly freedom: number;
}

/**
 * How many rows, each standing for itself, a weighted sample is worth: Kish's `(sum w)^2 / sum w^2`, and less where the rows of
 * some bins stand for more than those of others, as when errors are all kept and the rest is sampled.
 *
 * With W the sum of all weights, S that of their squares, `s_k` the part of S in bin k and `d_k = s_k / p_k`: times Kish's
 * number, Pearson's statistic on weighted shares is, when nothing has changed, a sum of chi-squares whose weights are the
 * eigenvalues of `Q diag(d) Q`, where `Q = I - sqrt(p) sqrt(p)'`. They add up to `sum d - 1`, their squares to
 * `sum d^2 (1 - 2 p) + 1`. The size returned makes the mean k - 1 again, and is never above Kish's; the freedom is that of the
 * chi-square with the same two moments.
 *
 * @param reference - Counts per bin in the baseline.
 * @param current - Sums of weights for the same bins in the window.
 * @param squares - Sums of squared weights for the same bins.
 * @returns Size 0 for an empty window; the number of rows and k - 1 when all have the same weight.
 * @throws RangeError when the lengths differ.
 * @see Kish (1965), Survey Sampling, section 11.7; Rao and Scott (1981), JASA 76, 221-230 (first and second order).
 * @example
 * effectiveSample([50, 50], [500, 500], [5_000, 5_000]); // { size: 100, freedom: 1 }: a hundred rows that stand for ten each
 */
export function effectiveSample(
  reference: readonly number[],
  current: readonly number[],
  squares: readonly number[],
): EffectiveSample {
  if (reference.length !== current.length || squares.length !== current.length) {
    throw new RangeError(
      `effectiveSample: ${reference.length} reference bins, ${current.length} current, ${squares.length} of squares`,
    );
  }
  const limit = Math.max(1, current.length - 1);
  const weight = total(current);
  const square = total(squares);
  const rows = total(reference);
  if (weight === 0 || square === 0) return { size: 0, freedom: limit };
  const kish = weight ** 2 / square;
  // Where every row of the window stands for as many, its bins tell of nothing but its shares.
  const even = current.every(
    (sum, k) => Math.abs(sum - ((squares[k] ?? 0) * weight) / square) <= 1e-9 * weight,
  );
  if (even || rows === 0) return { size: kish, freedom: limit };
  let bins = 0;
  let sum = -1;
  let squared = 1;
  for (let k = 0; k < current.length; k += 1) {
    // Half way between both, as in the distance itself: what is new has no share in the baseline to divide by.
    const p = ((reference[k] ?? 0) / rows + (current[k] ?? 0) / weight) / 2;
    if (p === 0) continue;
    const d = (squares[k] ?? 0) / square / p;
    bins += 1;
    sum += d;
    squared += d ** 2 * (1 - 2 * p);
  }
  if (bins < 2 || !(sum > 0) || !(squared > 0)) return { size: kish, freedom: limit };
  return {
    size: kish / Math.max(1, sum / (bins - 1)),
    freedom: Math.min(limit, Math.max(1, sum ** 2 / squared)),
  };
}
