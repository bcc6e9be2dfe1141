import type { CalibrationWindow } from "./null-distribution.ts";
import { total } from "./scaled-distance.ts";

/** Windows to have before a longer window is preferred to a shorter one. */
const ENOUGH_WINDOWS = 12;
/** More windows than this add nothing but time. */
const MOST_WINDOWS = 1_000;

/**
 * One column of the baseline, block of time by block of time (an hour or a day), in order of time
 * and without gaps: a block without rows has zero counts.
 */
export interface BlockSeries {
  readonly block_ms: number;
  /** Rows with a missing or unusable value, per block. */
  readonly missing: readonly number[];
  /** Counts on the coarse bins, or on the listed categories and the rest, per block. */
  readonly counts: readonly (readonly number[])[];
}

/**
 * Cuts a baseline's blocks into windows like the monitored one, each with the reference it would have been
 * given: the rest of the baseline, the window's neighbours left out because they resemble it. Where the
 * baseline is too short for twelve such windows, shorter ones are taken; `windowsNull` carries their
 * variation over to the longer window, which errs towards calm.
 *
 * @param counts - Counts per block, all of one length.
 * @param windowBlocks - Length of the monitored window in blocks, at least 1.
 * @returns Windows with at least half the median window's rows; empty when there are fewer than two.
 * @example
 * calibrationWindows(Array.from({ length: 24 }, () => [5, 5]), 2).length; // 12
 */
export function calibrationWindows(
  counts: readonly (readonly number[])[],
  windowBlocks: number,
): CalibrationWindow[] {
  const longest = Math.max(1, Math.floor(counts.length / ENOUGH_WINDOWS));
  const length = Math.max(1, Math.min(Math.round(windowBlocks), longest));
  const sums: number[][] = [];
  for (let start = 0; start + length <= counts.length; start += length) {
    sums.push(add(counts.slice(start, start + length)));
  }
  const whole = add(counts);
  const sizes = sums.map(total);
  const median = [...sizes].sort((a, b) => a - b)[Math.floor(sizes.length / 2)] ?? 0;
  const stride = Math.max(1, Math.ceil(sums.length / MOST_WINDOWS));
  return sums.flatMap((window, i) => {
    const size = sizes[i] ?? 0;
    if (size === 0 || size < median / 2 || i % stride !== 0) return [];
    const near = [sums[i - 1], sums[i + 1]].filter((neighbour) => neighbour !== undefined);
    const reference = whole.map(
      (count, bin) => count - (window[bin] ?? 0) - near.reduce((sum, other) => sum + (other[bin] ?? 0), 0),
    );
    return total(reference) > 0 ? [{ counts: window, reference }] : [];
  });
}

function add(rows: readonly (readonly number[])[]): number[] {
  const sums: number[] = new Array(rows[0]?.length ?? 0).fill(0);
  for (const row of rows) {
    for (let i = 0; i < sums.length; i += 1) sums[i] = (sums[i] ?? 0) + (row[i] ?? 0);
  }
  return sums;
}
