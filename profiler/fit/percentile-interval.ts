/**
 * Ranks (0-based) of the sorted values between which the percentile of the whole population lies in 95 of 100 samples:
 * n·p ± 1.96·sqrt(n·p·(1-p)), whatever the distribution.
 *
 * @param count - Size of the sample, at least 1.
 * @param percentile - In (0, 100).
 * @returns undefined for the upper end when the sample is too small to bound it.
 * @see Conover, Practical Nonparametric Statistics (1999), section 3.2.
 * @example
 * percentileRanks(1000, 99); // { lower: 982, upper: 996 }
 */
export function percentileRanks(
  count: number,
  percentile: number,
): { readonly lower: number; readonly upper: number | undefined } {
  if (!(count >= 1 && percentile > 0 && percentile < 100)) {
    throw new RangeError(`percentileRanks: count ${count}, percentile ${percentile}`);
  }
  const p = percentile / 100;
  const half = 1.96 * Math.sqrt(count * p * (1 - p));
  const lower = Math.max(0, Math.floor(count * p - half) - 1);
  const upper = Math.ceil(count * p + half) - 1;
  return { lower: Math.min(lower, count - 1), upper: upper < count ? upper : undefined };
}

/** Requests needed so that the percentile has ten values above it: below, it says little. */
export function neededRequests(percentile: number): number {
  return Math.ceil(10 / (1 - percentile / 100) - 1e-6);
}
