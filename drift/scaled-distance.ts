/**
 * The evidence behind a Jensen–Shannon distance: `T = 8 n_e JS` with the divergence in nats and
 * `n_e = n m / (n + m)`. When nothing has changed and rows are independent, T is close to
 * chi-square with k - 1 degrees of freedom, whatever the sizes; unlike Pearson's statistic it stays
 * bounded where a rare bin fills up, so its tail is lighter on dependent rows.
 *
 * @param reference - Counts per bin in the baseline. Length k, all >= 0.
 * @param current - Counts for the same k bins in the window.
 * @returns 0 when either side is empty.
 * @throws RangeError when the lengths differ.
 * @see Lin (1991), IEEE Transactions on Information Theory 37; the expansion is that of any phi-divergence,
 *   Pardo (2006), Statistical Inference Based on Divergence Measures, ch. 3.
 * @example
 * scaledDistance([50, 50], [60, 40]); // 2.0238…
 */
export function scaledDistance(reference: readonly number[], current: readonly number[]): number {
  if (reference.length !== current.length) {
    throw new RangeError(`scaledDistance: ${reference.length} reference bins but ${current.length} current`);
  }
  const m = total(reference);
  const n = total(current);
  if (m === 0 || n === 0) return 0;
  let divergence = 0;
  for (let i = 0; i < reference.length; i += 1) {
    const p = (reference[i] ?? 0) / m;
    const q = (current[i] ?? 0) / n;
    const middle = (p + q) / 2;
    if (p > 0) divergence += (p / 2) * Math.log(p / middle);
    if (q > 0) divergence += (q / 2) * Math.log(q / middle);
  }
  return 8 * effectiveSize(n, m) * Math.max(0, divergence);
}

/**
 * `n m / (n + m)`: the size of one sample as informative as the two together.
 *
 * @example
 * effectiveSize(100, 300); // 75
 */
export function effectiveSize(n: number, m: number): number {
  return n + m === 0 ? 0 : (n * m) / (n + m);
}

/**
 * Sum of counts.
 *
 * @example
 * total([1, 2, 3]); // 6
 */
export function total(counts: readonly number[]): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}
