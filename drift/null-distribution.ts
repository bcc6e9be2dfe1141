import type { Calibration } from "../schema/drift-result.ts";
import { chiSquareQuantile, chiSquareSurvival } from "./distributions/chi-square.ts";
import { multinomialSample, seededRandom } from "./distributions/random.ts";
import { effectiveSize, scaledDistance, total } from "./scaled-distance.ts";

const RESAMPLES = 500;
const SEED = 20_010_401;
/** Expected count above which the chi-square limit needs no help. */
const LARGE_EXPECTED = 25;
/** Fewer windows than this say too little about how windows differ. */
export const LEAST_WINDOWS = 8;

/** Sizes are told apart when they differ by more than about this share. */
const SIZE_STEP = 0.02;

/**
 * The size nearest to this one on a grid whose steps are 2 %; up to 50 the size itself.
 *
 * The null of the scaled distance hardly depends on the size: what is within a hundredth is far below the error of
 * resampling, and the windows of a monitor, no two of which are of one size, can share what was resampled.
 *
 * @example
 * nearSize(1000); // 1003
 */
export function nearSize(size: number): number {
  if (size * SIZE_STEP <= 1) return size;
  const step = Math.log1p(SIZE_STEP);
  return Math.round(Math.exp(step * Math.round(Math.log(size) / step)));
}

/** How the scaled distance `T` behaves when nothing has changed: `T nu / M` is close to chi-square with nu degrees of freedom. */
export interface NullDistribution extends Calibration {
  /** `T / M(n)` of the baseline's own windows, ascending; empty when rows are taken as independent. */
  readonly ratios: readonly number[];
  /** Degrees of freedom of the tail beyond those windows: at most k - 1, so that few windows never promise a sharp tail. */
  readonly tailFreedom: number;
}

/**
 * The null when rows are independent: chi-square with k - 1 degrees of freedom where every expected
 * count is large, else the first two moments of `T` over seeded resamples of the baseline's histogram.
 * Never sharper than chi-square: M >= k - 1 and nu <= k - 1.
 *
 * @param reference - Counts per bin in the baseline, k >= 2.
 * @param size - Rows of the window.
 * @example
 * independentNull([1_000, 1_000, 1_000], 500).mean; // 2, the mean of chi-square with 2 degrees of freedom
 */
export function independentNull(reference: readonly number[], size: number): NullDistribution {
  const k = reference.length;
  const m = total(reference);
  const limit = k - 1;
  const smallest = Math.min(...reference) * (Math.min(size, m) / Math.max(1, m));
  if (smallest >= LARGE_EXPECTED) return independent(limit, 2 * limit, limit);
  const random = seededRandom(SEED);
  const shares = reference.map((count) => (count + 0.5) / (m + 0.5 * k));
  const distances = Array.from({ length: RESAMPLES }, () =>
    scaledDistance(multinomialSample(random, m, shares), multinomialSample(random, size, shares)),
  );
  const { mean, variance } = moments(distances);
  return independent(Math.max(limit, mean), variance, limit);
}

function independent(mean: number, variance: number, limit: number): NullDistribution {
  const freedom = variance > 0 ? Math.min(limit, (2 * mean ** 2) / variance) : limit;
  return {
    method: "independent",
    mean,
    variance: (2 * mean ** 2) / freedom,
    degrees_of_freedom: freedom,
    design_effect: mean / limit,
    ratios: [],
    tailFreedom: freedom,
  };
}

/**
 * The same null with at most so many degrees of freedom: its mean stays, its tail is heavier.
 *
 * @example
 * withFreedom(independentNull([1_000, 1_000, 1_000], 500), 1).variance; // 8
 */
export function withFreedom(nothing: NullDistribution, freedom: number): NullDistribution {
  const left = Math.min(nothing.degrees_of_freedom, freedom);
  return {
    ...nothing,
    variance: (2 * nothing.mean ** 2) / left,
    degrees_of_freedom: left,
    tailFreedom: Math.min(nothing.tailFreedom, freedom),
  };
}

/** One window of the baseline's own time: its counts, and those of the reference it would have been given. */
export interface CalibrationWindow {
  readonly counts: readonly number[];
  readonly reference: readonly number[];
}

/**
 * The null when rows of one window resemble each other: moments of `T` over the baseline's own windows
 * (second-order Rao–Scott, fitted by moments). `T` of a window of n rows has a part from sampling, which
 * does not grow with n, and one from window to window, which does: `M(n) = M0(n) + n_e s²`, so windows of another
 * size than the calibration's can be judged.
 *
 * @param windows - At least LEAST_WINDOWS, all on the same k bins.
 * @param sampling - The null if rows were independent, at the monitored window's size.
 * @param size - Rows of the monitored window.
 * @param baselineRows - Rows of the whole baseline.
 * @see Rao and Scott (1984), Annals of Statistics 12; Satterthwaite (1946), Biometrics Bulletin 2.
 */
export function windowsNull(
  windows: readonly CalibrationWindow[],
  sampling: NullDistribution,
  { size, baselineRows }: { readonly size: number; readonly baselineRows: number },
): NullDistribution {
  if (windows.length < LEAST_WINDOWS)
    throw new RangeError(`windowsNull: ${windows.length} windows, at least ${LEAST_WINDOWS} are needed`);
  const limit = (windows[0]?.counts.length ?? 2) - 1;
  const measured = windows.map(({ counts, reference }) => ({
    distance: scaledDistance(reference, counts),
    effective: effectiveSize(total(counts), total(reference)),
  }));
  const between = Math.max(
    0,
    sum(measured.map(({ distance }) => distance - sampling.mean)) /
      Math.max(1e-300, sum(measured.map(({ effective }) => effective))),
  );
  const expected = (effective: number) => sampling.mean + effective * between;
  const ratios = measured
    .map(({ distance, effective }) => distance / expected(effective))
    .sort((a, b) => a - b);
  const { mean: level, variance: spread } = moments(ratios);
  const mean = expected(effectiveSize(size, baselineRows)) * Math.max(1, level);
  const freedom = Math.min(
    limit,
    sampling.degrees_of_freedom,
    spread > 0 ? (2 * Math.max(1, level) ** 2) / spread : limit,
  );
  return {
    method: "windows",
    windows: windows.length,
    mean,
    variance: (2 * mean ** 2) / freedom,
    degrees_of_freedom: freedom,
    design_effect: mean / limit,
    ratios,
    tailFreedom: Math.min(limit, sampling.degrees_of_freedom, freedom),
  };
}

/**
 * Probability of a scaled distance at least this large when nothing has changed: the larger of two answers.
 *
 * The moment-matched chi-square is one. The other is what the baseline's own N windows support: within their range
 * `(1 + windows at least as far) / (1 + N)`; beyond it `1 / (1 + N)` times a chi-square tail with at most k - 1 degrees of
 * freedom. So nothing that the baseline itself has done is called rare, and two moments never promise more than was seen.
 *
 * @example
 * pValueOf(5.991464547107979, independentNull([1_000, 1_000, 1_000], 500)); // 0.05
 */
export function pValueOf(distance: number, nothing: NullDistribution): number {
  if (!(distance > 0)) return 1;
  const ratio = distance / nothing.mean;
  const freedom = nothing.degrees_of_freedom;
  const matched = chiSquareSurvival(ratio * freedom, freedom);
  return Math.min(1, Math.max(matched, supported(ratio, nothing)));
}

function supported(ratio: number, { ratios, tailFreedom }: NullDistribution): number {
  const furthest = ratios.at(-1);
  if (furthest === undefined) return 0;
  if (ratio <= furthest) return (1 + ratios.filter((other) => other >= ratio).length) / (1 + ratios.length);
  const beyond =
    chiSquareSurvival(ratio * tailFreedom, tailFreedom) /
    chiSquareSurvival(furthest * tailFreedom, tailFreedom);
  return (Number.isFinite(beyond) ? beyond : 0) / (1 + ratios.length);
}

/**
 * The scaled distance whose p-value is alpha: what a window must pass to be evidence.
 *
 * @example
 * criticalDistance(0.05, independentNull([1_000, 1_000, 1_000], 500)); // 5.9915
 */
export function criticalDistance(alpha: number, nothing: NullDistribution): number {
  const freedom = nothing.degrees_of_freedom;
  const matched = chiSquareQuantile(alpha, freedom) / freedom;
  return Math.max(matched, supportedAt(alpha, nothing)) * nothing.mean;
}

function supportedAt(alpha: number, { ratios, tailFreedom }: NullDistribution): number {
  const furthest = ratios.at(-1);
  if (furthest === undefined) return 0;
  const allowed = Math.floor(alpha * (1 + ratios.length)) - 1; // windows that may lie as far
  if (allowed >= 1) return ratios.at(-allowed) ?? furthest;
  const tail =
    Math.min(1, alpha * (1 + ratios.length)) * chiSquareSurvival(furthest * tailFreedom, tailFreedom);
  return Math.max(furthest, chiSquareQuantile(Math.max(tail, Number.MIN_VALUE), tailFreedom) / tailFreedom);
}

/** What is shown of it. */
export function calibrationOf({ ratios: _, tailFreedom: __, ...shown }: NullDistribution): Calibration {
  return shown;
}

function sum(values: readonly number[]): number {
  let result = 0;
  for (const value of values) result += value;
  return result;
}

function moments(values: readonly number[]): { mean: number; variance: number } {
  const mean = sum(values) / values.length;
  return { mean, variance: sum(values.map((value) => (value - mean) ** 2)) / Math.max(1, values.length - 1) };
}
