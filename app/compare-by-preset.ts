import type { BaselineColumn } from "../drift/baseline-column.ts";
import { isNumeric } from "../drift/baseline-column.ts";
import { summaries } from "../drift/measure-column.ts";
import { observeNumeric } from "../drift/observed-column.ts";
import { judgeColumnByPreset, judgeDatasetByPreset } from "../drift/presets/judge-by-preset.ts";
import type { Preset, Storage } from "../drift/presets/preset.ts";
import type { ComparedWindow } from "../schema/compare-result.ts";
import type { ColumnResult, ColumnType } from "../schema/drift-result.ts";
import type { Dataset, DatasetColumn, Slice } from "../store/dataset.ts";
import { type ColumnValues, describeColumn, readColumn, unusable } from "./build-baseline.ts";
import { type Part, windowsOf } from "./compare-windows.ts";

/** Pieces of a baseline where no window says how long they are. */
const CHUNKS = 10;

interface Comparison {
  readonly baseline: Dataset;
  readonly current: Dataset;
  readonly parts: readonly Part[];
  /** Columns that both files have. */
  readonly columns: readonly DatasetColumn[];
  /** Results of those that only one of them has. */
  readonly absent: readonly ColumnResult[];
  readonly timeColumn: string | undefined;
  readonly window: string | undefined;
  readonly statedTypes: Readonly<Record<string, ColumnType>>;
  readonly onProgress: ((done: number, of: number) => void) | undefined;
}

/** Compares by another tool's definitions and rules; a result per window of the current file, the whole of it being one. */
export async function compareByPreset(preset: Preset, comparison: Comparison): Promise<ComparedWindow[]> {
  const { baseline, current, parts, columns, absent, statedTypes } = comparison;
  const pieces = preset.threshold === "from-chunks" ? await chunksOf(comparison) : [];
  const results: ColumnResult[][] = parts.map(() => []);
  let rows: readonly number[] = parts.map(() => 0);
  for (const [i, column] of columns.entries()) {
    comparison.onProgress?.(i, columns.length);
    const [[before, ...chunks], windows] = await Promise.all([
      readAll(baseline, column, [undefined, ...pieces.map(({ slice }) => slice)]),
      readAll(
        current,
        column,
        parts.map(({ slice }) => slice),
      ),
    ]);
    if (!before) throw new RangeError(`column "${column.name}" was not read`);
    const described = describeColumn(column, "input", before);
    for (const [w, now] of windows.entries()) {
      results[w]?.push(
        judgeColumnByPreset(
          preset,
          {
            name: column.name,
            type: column.type,
            typeFrom: statedTypes[column.name] === undefined ? "found" : "stated",
            storage: { baseline: storageOf(baseline, column), current: storageOf(current, column) },
            baseline: before,
            current: now,
            chunks,
          },
          shown(described, now),
        ),
      );
    }
    rows = windows.map((window) => window.rows);
  }
  comparison.onProgress?.(columns.length, columns.length);
  return parts.map(({ from, to }, w) => {
    const all = [...(results[w] ?? []), ...absent];
    return { from, to, rows: rows[w] ?? 0, columns: all, dataset: judgeDatasetByPreset(preset, all) };
  });
}

async function readAll(
  dataset: Dataset,
  column: DatasetColumn,
  slices: readonly (Slice | undefined)[],
): Promise<ColumnValues[]> {
  const values: ColumnValues[] = [];
  for (const slice of slices) values.push(await readColumn(dataset, column, slice));
  return values;
}

/** The baseline in pieces as long as the window; in ten of equal size and the rest without one. */
async function chunksOf({ baseline, timeColumn, window }: Comparison): Promise<Part[]> {
  const size = Math.max(1, Math.floor(baseline.rows / CHUNKS));
  return windowsOf(baseline, timeColumn, window ?? `${size}rows`);
}

/** Whether the file stores the column as whole numbers. */
function storageOf(dataset: Dataset, { name }: DatasetColumn): Storage {
  const physical = dataset.columns.find((column) => column.name === name)?.physical ?? "";
  return /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/.test(physical) ? "whole" : "other";
}

function shown(baseline: BaselineColumn, now: ColumnValues): ReturnType<typeof summaries> {
  if (isNumeric(baseline) && now.kind === "numeric") {
    const about = { rows: now.rows, missing: now.missing, unusable: unusable(now) };
    return summaries({ baseline, current: observeNumeric(baseline, about, now.sorted) });
  }
  if (now.kind !== "categorical")
    throw new RangeError(`column "${baseline.name}" is categorical, its window is not`);
  const { rows, missing, counts } = now;
  return summaries({ baseline, current: { kind: "categorical", rows, missing, unusable: 0, counts } });
}
