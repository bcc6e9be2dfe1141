import { type BaselineColumn, isNumeric } from "../drift/baseline-column.ts";
import { budgetOf } from "../drift/budget.ts";
import type { BlockSeries } from "../drift/calibration-windows.ts";
import { ksTwoSampleP } from "../drift/distributions/kolmogorov.ts";
import { driftedColumns, type Judgement, type JudgeOptions, judge } from "../drift/judge.ts";
import { type ColumnPair, measureColumn } from "../drift/measure-column.ts";
import { type ObservedColumn, observeNumeric } from "../drift/observed-column.ts";
import { FOREIGN_PRESETS } from "../drift/presets/presets.ts";
import { quantileSorted } from "../drift/statistics/quantile-edges.ts";
import { sortedSampleStatistics } from "../drift/statistics/sorted-samples.ts";
import type { RowStatistics } from "../drift/statistics-table.ts";
import { unitChange } from "../drift/unit-change.ts";
import type { CompareResult } from "../schema/compare-result.ts";
import type { Cause, ColumnResult, ColumnType } from "../schema/drift-result.ts";
import { durationMs } from "../schema/duration.ts";
import { ServiceError } from "../schema/errors.ts";
import type { PresetName } from "../schema/preset-name.ts";
import { type Dataset, type DatasetColumn, openDataset } from "../store/dataset.ts";
import {
  BLOCK_MS,
  type ColumnValues,
  describeColumn,
  readBlocks,
  readColumn,
  timeColumnOf,
  unusable,
} from "./build-baseline.ts";
import { compareByPreset } from "./compare-by-preset.ts";
import { absentColumns, chosenColumns } from "./compare-columns.ts";
import { type Part, windowsOf } from "./compare-windows.ts";

export interface CompareOptions {
  /** Whose definitions, thresholds and rules: this project's when absent. */
  readonly preset?: PresetName | undefined;
  /** Columns to compare; all of the baseline when absent. */
  readonly columns?: readonly string[] | undefined;
  readonly types?: Readonly<Record<string, ColumnType>> | undefined;
  /** Name of the time column, or `none`; found by itself when absent. */
  readonly timeColumn?: string | undefined;
  /** `1d` or `1000rows`: a verdict per window of the current file. */
  readonly window?: string | undefined;
  readonly falseAlarms?: string | undefined;
  readonly minimumEffect?: number | undefined;
  readonly minimumRows?: number | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
  /** A clock in milliseconds, for `elapsed_ms`. */
  readonly clock?: (() => number) | undefined;
}

/** What was seen of one column in one window. */
interface Seen {
  readonly current: ObservedColumn;
  readonly rows: RowStatistics | undefined;
  readonly quantiles: readonly number[] | undefined;
}

/**
 * Compares two files without a server: every statistic exact on the rows, the verdicts held to the budget.
 * Reads one column of both files at a time.
 */
export async function compareFiles(
  baselinePath: string,
  currentPath: string,
  options: CompareOptions = {},
): Promise<CompareResult> {
  const clock = options.clock ?? (() => performance.now());
  const started = clock();
  const baseline = await openDataset(baselinePath, { ...(options.types ? { types: options.types } : {}) });
  try {
    chosenColumns(baseline, Object.keys(options.types ?? {})); // an override for a column that is not there is a slip
    const types = Object.fromEntries(baseline.columns.map(({ name, type }) => [name, type]));
    const current = await openDataset(currentPath, { types });
    try {
      const result = await compareDatasets(baseline, current, options);
      return { ...result, elapsed_ms: Math.round(clock() - started) };
    } finally {
      await current.close();
    }
  } finally {
    await baseline.close();
  }
}

async function compareDatasets(
  baseline: Dataset,
  current: Dataset,
  options: CompareOptions,
): Promise<CompareResult> {
  const time = timeColumnOf(baseline, options.timeColumn);
  const timeInBoth =
    time && current.columns.some(({ name, type }) => name === time.name && type === "timestamp")
      ? time
      : undefined;
  if (options.timeColumn !== undefined && options.timeColumn !== "none" && !timeInBoth) {
    throw new ServiceError(
      "invalid-input",
      `${current.path} has no timestamp column "${options.timeColumn}"`,
    );
  }
  const parts = await windowsOf(current, timeInBoth?.name, options.window);
  const wanted = chosenColumns(baseline, options.columns).filter(({ name }) => name !== timeInBoth?.name);
  const present = wanted.filter(({ name }) => current.columns.some((column) => column.name === name));
  const about = {
    baseline: { path: baseline.path, rows: baseline.rows },
    current: { path: current.path, rows: current.rows },
    preset: options.preset ?? "leeway",
    time_column: timeInBoth?.name ?? null,
    elapsed_ms: 0,
  };
  const absent = absentColumns(baseline, current, wanted, timeInBoth?.name, options);
  if (options.preset !== undefined && options.preset !== "leeway") {
    const windows = await compareByPreset(FOREIGN_PRESETS[options.preset], {
      baseline,
      current,
      parts,
      columns: present,
      absent,
      timeColumn: timeInBoth?.name,
      window: options.window,
      statedTypes: options.types ?? {},
      onProgress: options.onProgress,
    });
    const [whole] = windows;
    if (options.window !== undefined || !whole) return { ...about, windows };
    return { ...about, columns: whole.columns, dataset: whole.dataset };
  }

  const described: BaselineColumn[] = [];
  const seen: Seen[][] = [];
  const read = (column: DatasetColumn | undefined) => column && readBoth(baseline, current, column, parts);
  let reading = read(present[0]);
  for (const [i, column] of present.entries()) {
    options.onProgress?.(i, present.length);
    const values = await reading;
    if (!values) throw new RangeError(`column "${column.name}" was not read`);
    reading = read(present[i + 1]); // DuckDB reads on while this column is counted
    reading?.catch(() => undefined); // awaited, and reported, in the next turn
    const summary = describeColumn(column, "input", values.baseline);
    described.push(summary);
    seen.push(values.current.map((part) => see(summary, values.baseline, part)));
  }
  options.onProgress?.(present.length, present.length);

  const blocks = new Map<"hour" | "day", Map<string, BlockSeries>>();
  const judged: Judgement[] = [];
  for (const [w, part] of parts.entries()) {
    const unit = part.lengthMs !== undefined && part.lengthMs >= BLOCK_MS.day ? "day" : "hour";
    if (timeInBoth && part.lengthMs !== undefined && !blocks.has(unit)) {
      blocks.set(unit, await readBlocks(baseline, timeInBoth, unit, described));
    }
    const pairs = described.map((column, c): ColumnPair & { quantiles: readonly number[] | undefined } => {
      const part_ = seen[c]?.[w];
      if (!part_) throw new RangeError(`no observation of column ${column.name}`);
      return {
        baseline: column,
        current: part_.current,
        rows: part_.rows,
        quantiles: part_.quantiles,
        blocks: part.lengthMs === undefined ? undefined : blocks.get(unit)?.get(column.name),
        windowBlocks: part.lengthMs === undefined ? undefined : part.lengthMs / BLOCK_MS[unit],
      };
    });
    judged.push(judgePairs(pairs, judgeOptions(options), absent));
  }

  if (options.window === undefined) {
    const [whole] = judged;
    if (!whole) throw new RangeError("nothing was judged");
    return { ...about, ...whole };
  }
  return {
    ...about,
    windows: parts.map(({ from, to }, w) => {
      const judgement = judged[w];
      if (!judgement) throw new RangeError("a window was not judged");
      return { from, to, rows: seen[0]?.[w]?.current.rows ?? 0, ...judgement };
    }),
  };
}

function judgeOptions(options: CompareOptions): JudgeOptions {
  const byTime = options.window !== undefined && !/rows$/.test(options.window);
  try {
    return {
      budget: budgetOf(options.falseAlarms ?? "0.01", byTime ? durationMs(options.window ?? "") : undefined),
      minimumEffect: options.minimumEffect ?? 0.1,
      minimumRows: options.minimumRows ?? 20,
    };
  } catch (error) {
    if (error instanceof RangeError) throw new ServiceError("invalid-input", error.message);
    throw error;
  }
}

/** Measures, looks for the cause of what has drifted, and judges. */
function judgePairs(
  pairs: readonly (ColumnPair & { readonly quantiles: readonly number[] | undefined })[],
  options: JudgeOptions,
  others: readonly ColumnResult[],
): Judgement {
  const measured = pairs.map(measureColumn);
  const suspects = driftedColumns(measured, options);
  const causes = new Map<string, Cause>();
  pairs.forEach(({ baseline, quantiles }, i) => {
    if (!suspects.has(baseline.name) || !isNumeric(baseline) || !quantiles) return;
    const cause = unitChange(
      baseline.quantiles,
      quantiles,
      chanceDistance(measured[i]?.drift?.effectAt(0.001)),
    );
    if (cause) causes.set(baseline.name, cause);
  });
  return judge(measured, { ...options, causes }, others);
}

/** KS distance that chance explains, from the Jensen–Shannon distance that it explains: near equality KS is at most about that. */
export function chanceDistance(effect: number | undefined): number {
  return Math.min(0.3, Math.max(0.02, effect ?? 0.02));
}

async function readBoth(baseline: Dataset, current: Dataset, column: DatasetColumn, parts: readonly Part[]) {
  const ofCurrent = async () => {
    const values: ColumnValues[] = [];
    for (const { slice } of parts) values.push(await readColumn(current, column, slice));
    return values;
  };
  const [before, now] = await Promise.all([readColumn(baseline, column), ofCurrent()]);
  return { baseline: before, current: now };
}

function see(baseline: BaselineColumn, before: ColumnValues, now: ColumnValues): Seen {
  const { rows, missing } = now;
  if (isNumeric(baseline) && before.kind === "numeric" && now.kind === "numeric") {
    const { sorted } = now;
    return {
      current: observeNumeric(baseline, { rows, missing, unusable: unusable(now) }, sorted),
      rows: before.sorted.length > 0 && sorted.length > 0 ? rowStatistics(before.sorted, sorted) : undefined,
      quantiles:
        sorted.length === 0
          ? undefined
          : baseline.quantiles.map((_, i) => quantileSorted(sorted, i / (baseline.quantiles.length - 1))),
    };
  }
  if (now.kind !== "categorical")
    throw new RangeError(`column "${baseline.name}" is categorical, its window is not`);
  return {
    current: { kind: "categorical", rows, missing, unusable: 0, counts: now.counts },
    rows: undefined,
    quantiles: undefined,
  };
}

function rowStatistics(a: Float64Array, b: Float64Array): RowStatistics {
  const { ks, ...others } = sortedSampleStatistics(a, b);
  return { ks: { value: ks, pValue: ksTwoSampleP(ks, a.length, b.length) }, ...others };
}
