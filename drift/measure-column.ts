import type { ColumnSummary, StatisticName } from "../schema/drift-result.ts";
import { type BaselineColumn, isNumeric, usableRows } from "./baseline-column.ts";
import { hasBins, testCounts } from "./binned.ts";
import { type BlockSeries, calibrationWindows } from "./calibration-windows.ts";
import { effectiveSample } from "./effective-sample.ts";
import { pool, poolingFor } from "./groups.ts";
import {
  criticalDistance,
  independentNull,
  LEAST_WINDOWS,
  type NullDistribution,
  nearSize,
  pValueOf,
  windowsNull,
  withFreedom,
} from "./null-distribution.ts";
import { effectiveRows, type ObservedColumn } from "./observed-column.ts";
import { effectiveSize, scaledDistance, total } from "./scaled-distance.ts";
import { type RowStatistics, type StatisticsTable, statisticsTable } from "./statistics-table.ts";

/** A column of the baseline, what a window shows of it, and how it varied from window to window when nothing had changed. */
export interface ColumnPair {
  readonly baseline: BaselineColumn;
  readonly current: ObservedColumn;
  /** Statistics that need all rows; from counts on bins when absent. */
  readonly rows?: RowStatistics | undefined;
  /** The baseline over time; rows are taken as independent when absent. */
  readonly blocks?: BlockSeries | undefined;
  /** Length of the window in the baseline's blocks. */
  readonly windowBlocks?: number | undefined;
}

/** One test of one column: its p-value and what would have been needed. */
export interface Evidence {
  readonly pValue: number;
  /** Effect size that was seen. */
  readonly effect: number;
  /** Effect size at which the p-value falls to alpha. */
  readonly effectAt: (alpha: number) => number;
  readonly null: NullDistribution;
}

/** Everything measured of a column, before the budget is divided. */
export interface MeasuredColumn {
  readonly pair: ColumnPair;
  readonly statistics: StatisticsTable;
  readonly primary: StatisticName | null;
  /** `null` when there is nothing to test: one side has no usable row, or only one category exists. */
  readonly drift: Evidence | null;
  /** Whether more is missing; `null` when nothing is missing on either side, and for labels, which come late. */
  readonly missing: Evidence | null;
}

const LN2 = Math.log(2);

/** Measures a column: every statistic, and the p-values that the verdict rests on. */
export function measureColumn(pair: ColumnPair): MeasuredColumn {
  const { baseline, current } = pair;
  const empty = usableRows(baseline) === 0 || usableRows(current) === 0;
  const drift = empty ? null : driftEvidence(pair);
  return {
    pair,
    statistics: empty ? {} : statisticsTable(baseline, current, pair.rows),
    primary: drift === null ? null : isNumeric(baseline) && !hasBins(baseline) ? "ks" : "jensen_shannon",
    drift,
    missing: missingEvidence(pair),
  };
}

/** The Jensen–Shannon distance on bins, single values or pooled categories; `null` when there is one only, then and now. */
function driftEvidence(pair: ColumnPair): Evidence | null {
  const { baseline, current } = pair;
  const counts = testCounts(baseline, current);
  const size = Math.max(1, Math.round(effectiveRows(current)));
  const binned = isNumeric(baseline) && hasBins(baseline);
  const groups = binned ? counts.reference.map((_, i) => i) : poolingFor(counts.reference, nearSize(size));
  const reference = pool(counts.reference, groups);
  const observed = pool(counts.current, groups);
  if (reference.filter((count, i) => count + (observed[i] ?? 0) > 0).length < 2) return null;
  // The baseline's blocks hold nothing below its smallest value or above its largest.
  const ends = isNumeric(baseline) && !binned ? [0] : [];
  return evidence(pair, {
    reference,
    current: observed,
    squares: squaresOf(current, (part) => pool(testCounts(baseline, part).current, groups)),
    series: pair.blocks?.counts.map((block) => pool([...ends, ...block, ...ends], groups)),
  });
}

/** Sums of squared weights per bin; undefined when every row stands for itself. */
function squaresOf(
  { sample }: ObservedColumn,
  countsOf: (part: ObservedColumn) => readonly number[],
): number[] | undefined {
  return sample
    ?.map(({ weight, counted }) => countsOf(counted).map((count) => count * weight ** 2))
    .reduce((sums, part) => sums.map((sum, i) => sum + (part[i] ?? 0)));
}

function evidence(
  pair: ColumnPair,
  {
    reference,
    current,
    squares,
    series,
  }: {
    readonly reference: readonly number[];
    readonly current: readonly number[];
    readonly squares: readonly number[] | undefined;
    readonly series: readonly (readonly number[])[] | undefined;
  },
): Evidence {
  const weight = total(current);
  const baselineRows = total(reference);
  // A sample is no more evidence than its rows are, however many they stand for.
  const sample = squares && effectiveSample(reference, current, squares);
  const size = sample?.size ?? weight;
  const counts = size === weight || weight === 0 ? current : current.map((sum) => (sum * size) / weight);
  const rows = samplingNull(pair.baseline, reference, nearSize(Math.max(1, Math.round(size))));
  const sampling = sample ? withFreedom(rows, sample.freedom) : rows;
  const windows = series ? calibrationWindows(series, pair.windowBlocks ?? 1) : [];
  const nothing =
    windows.length < LEAST_WINDOWS ? sampling : windowsNull(windows, sampling, { size, baselineRows });
  const distance = scaledDistance(reference, counts);
  const effective = effectiveSize(size, baselineRows);
  const toEffect = (scaled: number) => Math.sqrt(scaled / (8 * effective * LN2));
  return {
    pValue: pValueOf(distance, nothing),
    effect: toEffect(distance),
    effectAt: (alpha) => toEffect(criticalDistance(alpha, nothing)),
    null: nothing,
  };
}

/** Resampling takes milliseconds and windows of one baseline are often of nearly one size: what was found is kept with the baseline. */
const found = new WeakMap<BaselineColumn, Map<string, NullDistribution>>();
const MOST_KEPT = 1_000;

function samplingNull(
  baseline: BaselineColumn,
  reference: readonly number[],
  size: number,
): NullDistribution {
  const kept = found.get(baseline) ?? new Map<string, NullDistribution>();
  found.set(baseline, kept);
  const key = `${size} ${reference.join(" ")}`;
  const known = kept.get(key) ?? independentNull(reference, size);
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(key, known);
  return known;
}

function missingEvidence(pair: ColumnPair): Evidence | null {
  const { baseline, current } = pair;
  if (baseline.role === "label") return null; // truth that has not arrived yet is not missing
  if (current.rows === 0 || baseline.rows === 0 || (baseline.missing === 0 && current.missing === 0))
    return null;
  const grown = current.missing / current.rows > baseline.missing / baseline.rows;
  const blocks = pair.blocks;
  const found = evidence(pair, {
    reference: [baseline.missing, baseline.rows - baseline.missing],
    current: [current.missing, current.rows - current.missing],
    squares: squaresOf(current, (part) => [part.missing, part.rows - part.missing]),
    series: blocks?.missing.map((missing, i) => [
      missing,
      blocks.counts[i]?.reduce((sum, count) => sum + count, 0) ?? 0,
    ]),
  });
  return grown ? found : { ...found, pValue: 1 };
}

/** A side of the comparison in numbers, as it is shown. */
export function summaries({ baseline, current }: ColumnPair): {
  readonly baseline: ColumnSummary;
  readonly current: ColumnSummary;
} {
  if (isNumeric(baseline) && current.kind === "numeric") {
    const counts = hasBins(baseline) ? testCounts(baseline, current) : null;
    const bins = (side: readonly number[] | undefined) =>
      side?.map((count, i) => ({
        from: i === 0 ? null : (baseline.edges[i] ?? null),
        to: i === side.length - 1 ? null : (baseline.edges[i + 1] ?? null),
        count: Math.round(count),
      })) ?? [];
    const numbers = (side: typeof baseline | typeof current) => ({
      count: Math.round(side.rows),
      missing: Math.round(side.missing),
      mean: side.mean,
      std: side.std,
      min: side.min,
      max: side.max,
    });
    return {
      baseline: { ...numbers(baseline), bins: bins(counts?.reference) },
      current: { ...numbers(current), ...worthOf(current), bins: bins(counts?.current) },
    };
  }
  if (isNumeric(baseline) || current.kind !== "categorical")
    throw new RangeError(`column "${baseline.name}" changed its kind`);
  return {
    baseline: { count: baseline.rows, missing: baseline.missing, categories: [...baseline.categories] },
    current: {
      count: Math.round(current.rows),
      missing: Math.round(current.missing),
      ...worthOf(current),
      categories: [...current.counts]
        .map(([category, count]) => ({ category, count: Math.round(count) }))
        .sort((a, b) => b.count - a.count)
        .slice(0, 200),
    },
  };
}

/** Where only a sample was stored, how many rows it is worth. */
function worthOf(current: ObservedColumn): { effective_rows?: number } {
  return current.sample ? { effective_rows: Math.round(effectiveRows(current)) } : {};
}
