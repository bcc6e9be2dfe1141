import { total } from "./scaled-distance.ts";

const LEAST_EXPECTED = 5;

/**
 * Pools bins that hold too few rows to be tested one by one: those with an expected count below
 * five in the smaller sample become one group (Cochran 1954), which also takes what is unseen.
 * Returns the group of each bin, so that the same pooling can be applied to other windows.
 *
 * @param reference - Counts per bin in the baseline.
 * @param size - Rows of the window to be tested.
 * @returns Group number per bin, 0 to g - 1.
 * @example
 * poolingFor([50, 48, 1, 1], 100); // [0, 1, 2, 2]
 */
export function poolingFor(reference: readonly number[], size: number): number[] {
  const rows = total(reference);
  const smaller = Math.min(size, rows);
  let groups = 0;
  const own = reference.map((count) => {
    if ((count / Math.max(1, rows)) * smaller < LEAST_EXPECTED) return -1;
    groups += 1;
    return groups - 1;
  });
  return own.map((group) => (group === -1 ? groups : group));
}

/**
 * Adds up counts by group.
 *
 * @example
 * pool([1, 2, 3, 4], [0, 1, 1, 0]); // [5, 5]
 */
export function pool(counts: readonly number[], groups: readonly number[]): number[] {
  const sums: number[] = new Array(Math.max(-1, ...groups) + 1).fill(0);
  counts.forEach((count, i) => {
    const group = groups[i] ?? 0;
    sums[group] = (sums[group] ?? 0) + count;
  });
  return sums;
}
