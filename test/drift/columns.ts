import {
  type BaselineColumn,
  type CategoricalBaseline,
  categoricalBaseline,
  type NumericBaseline,
  numericBaseline,
} from "../../drift/baseline-column.ts";
import { measureColumn } from "../../drift/measure-column.ts";
import {
  type ObservedCategorical,
  type ObservedNumeric,
  observeNumeric,
} from "../../drift/observed-column.ts";
import { sortedSampleStatistics } from "../../drift/statistics/sorted-samples.ts";

export type Cell = number | string | null;

/** Sorts cells into usable, missing and unusable ones, as readers of files and requests do. */
function split(cells: readonly Cell[]) {
  const usable = cells.filter((cell): cell is number => typeof cell === "number" && Number.isFinite(cell));
  const missing = cells.filter((cell) => cell === null).length;
  return {
    about: { rows: cells.length, missing, unusable: cells.length - missing - usable.length },
    sorted: Float64Array.from(usable).sort(),
  };
}

export function numericColumn(cells: readonly Cell[], name = "n"): NumericBaseline {
  const { about, sorted } = split(cells);
  return numericBaseline({ name, role: "input", type: "numeric", ...about }, sorted);
}

export function numericWindow(baseline: NumericBaseline, cells: readonly Cell[]): ObservedNumeric {
  const { about, sorted } = split(cells);
  return observeNumeric(baseline, about, sorted);
}

function count(cells: readonly (string | null)[]) {
  const counts = new Map<string, number>();
  for (const cell of cells) if (cell !== null) counts.set(cell, (counts.get(cell) ?? 0) + 1);
  const missing = cells.filter((cell) => cell === null).length;
  return { about: { rows: cells.length, missing, unusable: 0 }, counts };
}

export function textColumn(cells: readonly (string | null)[], name = "c"): CategoricalBaseline {
  const { about, counts } = count(cells);
  return categoricalBaseline({ name, role: "input", type: "categorical", ...about }, counts);
}

export function textWindow(cells: readonly (string | null)[]): ObservedCategorical {
  const { about, counts } = count(cells);
  return { kind: "categorical", ...about, counts };
}

/** A numeric column of a baseline and a window of it, measured on their rows. */
export function measuredNumbers(before: readonly Cell[], now: readonly Cell[], name = "n") {
  const baseline: BaselineColumn = numericColumn(before, name);
  const a = split(before).sorted;
  const b = split(now).sorted;
  const found = a.length > 0 && b.length > 0 ? sortedSampleStatistics(a, b) : undefined;
  return measureColumn({
    baseline,
    current: numericWindow(numericColumn(before, name), now),
    rows: found && { ...found, ks: { value: found.ks, pValue: 1 } },
  });
}

export function measuredTexts(
  before: readonly (string | null)[],
  now: readonly (string | null)[],
  name = "c",
) {
  return measureColumn({ baseline: textColumn(before, name), current: textWindow(now) });
}

export const range = (length: number, value: (i: number) => number = (i) => i): number[] =>
  Array.from({ length }, (_, i) => value(i));
export const times = <T>(length: number, value: T): T[] => new Array<T>(length).fill(value);
