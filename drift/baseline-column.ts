import type { ColumnType } from "../schema/drift-result.ts";
import { fineEdges } from "./bins.ts";
import { quantileEdges, quantileSorted } from "./statistics/quantile-edges.ts";

/** Bins of the field's habit: ten, each with a tenth of the baseline. */
const COARSE_BINS = 10;
/** Categories that are counted one by one; the rest of a baseline's categories are one. */
const MAX_CATEGORIES = 200;
const GRID_POINTS = 1_001;

/** What a column is to the model. `label` and `prediction` are watched like features and named apart. */
export type ColumnRole = "input" | "prediction" | "label";

interface Common {
  readonly name: string;
  readonly role: ColumnRole;
  /** Rows, missing ones included. */
  readonly rows: number;
  readonly missing: number;
  /** Values that are no finite number, or text where a number was due. */
  readonly unusable: number;
}

/** A column of numbers (or of moments in time, as seconds since 1970) in the baseline. */
export interface NumericBaseline extends Common {
  readonly type: "numeric" | "timestamp";
  readonly mean: number | null;
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** Edges of the ten quantile bins, duplicates removed: fewer than three edges when nearly constant. */
  readonly edges: readonly number[];
  /** Edges of about a hundred quantile bins; every coarse edge is one of them. */
  readonly fine_edges: readonly number[];
  /** Rows up to the first fine edge, then per fine bin `(lo, hi]`: as many as there are edges. */
  readonly fine_counts: readonly number[];
  /** 1,001 quantiles, from the smallest value to the largest. */
  readonly quantiles: readonly number[];
}

/** A column of categories (booleans are the categories `true` and `false`) in the baseline. */
export interface CategoricalBaseline extends Common {
  readonly type: "categorical" | "boolean";
  /** The most frequent categories, most frequent first. */
  readonly categories: readonly { readonly category: string; readonly count: number }[];
  /** Rows in categories beyond those. */
  readonly other: number;
  readonly distinct: number;
}

export type BaselineColumn = NumericBaseline | CategoricalBaseline;

/**
 * Whether a column of the baseline holds numbers (or moments in time) rather than categories.
 *
 * @example
 * isNumeric(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3))); // true
 */
export function isNumeric(column: BaselineColumn): column is NumericBaseline {
  return column.type === "numeric" || column.type === "timestamp";
}

/**
 * Rows that hold a usable value.
 *
 * @example
 * usableRows({ rows: 10, missing: 2, unusable: 1 }); // 7
 */
export function usableRows(column: {
  readonly rows: number;
  readonly missing: number;
  readonly unusable: number;
}): number {
  return column.rows - column.missing - column.unusable;
}

/**
 * Mean and sample standard deviation of sorted (or any) finite numbers, in two passes, in their unit and divided by n - 1.
 * `null` where there are too few values, and where the deviation is more than a double holds (values around 1e154 and more).
 *
 * @example
 * meanAndStd(Float64Array.of(1, 2, 3)); // { mean: 2, std: 1 }
 */
export function meanAndStd(values: Float64Array): {
  readonly mean: number | null;
  readonly std: number | null;
} {
  if (values.length === 0) return { mean: null, std: null };
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i] as number; // by index: iterators cost four times as much
  const mean = Number.isFinite(sum)
    ? sum / values.length
    : values.reduce((part, value) => part + value / values.length, 0);
  if (values.length === 1) return { mean, std: null };
  let squares = 0;
  for (let i = 0; i < values.length; i += 1) squares += ((values[i] as number) - mean) ** 2;
  const std = Math.sqrt(squares / (values.length - 1));
  return { mean, std: Number.isFinite(std) ? std : null };
}

/**
 * Describes a numeric column of the training data.
 *
 * @param values - Its finite values, sorted ascending; may be empty.
 * @example
 * numericBaseline({ name: "age", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3)).mean; // 2
 */
export function numericBaseline(
  about: Common & { readonly type: "numeric" | "timestamp" },
  values: Float64Array,
): NumericBaseline {
  const empty = values.length === 0;
  const edges = empty ? [] : quantileEdges(values, COARSE_BINS);
  const fine = empty ? [] : fineEdges(values, edges);
  return {
    ...about,
    ...meanAndStd(values),
    min: empty ? null : (values[0] ?? null),
    max: empty ? null : (values.at(-1) ?? null),
    edges,
    fine_edges: fine,
    fine_counts: countUpTo(values, fine),
    quantiles: empty
      ? []
      : Array.from({ length: GRID_POINTS }, (_, i) => quantileSorted(values, i / (GRID_POINTS - 1))),
  };
}

/**
 * Describes a categorical or boolean column of the training data.
 *
 * @param counts - Rows per category; may be empty.
 * @example
 * categoricalBaseline({ name: "c", role: "input", type: "categorical", rows: 3, missing: 0, unusable: 0 },
 *   new Map([["a", 2], ["b", 1]])).distinct; // 2
 */
export function categoricalBaseline(
  about: Common & { readonly type: "categorical" | "boolean" },
  counts: ReadonlyMap<string, number>,
): CategoricalBaseline {
  const ranked = [...counts]
    .map(([category, count]) => ({ category, count }))
    .sort((a, b) => b.count - a.count || (a.category < b.category ? -1 : 1));
  const rest = ranked.slice(MAX_CATEGORIES);
  return {
    ...about,
    categories: ranked.slice(0, MAX_CATEGORIES),
    other: rest.reduce((sum, { count }) => sum + count, 0),
    distinct: counts.size,
  };
}

/**
 * Rows up to the first edge, then per bin `(lo, hi]`; what lies beyond the last edge is in the last. As many as there are edges.
 *
 * @example
 * countUpTo(Float64Array.of(0, 1, 2, 3, 9), [0, 2, 4]); // [1, 2, 2]
 */
export function countUpTo(values: Float64Array, edges: readonly number[]): number[] {
  let from = 0;
  return edges.map((edge, i) => {
    const to = i === edges.length - 1 ? values.length : rowsUpTo(values, edge);
    const count = to - from;
    from = to;
    return count;
  });
}

/**
 * How many of the sorted values are at most `limit`.
 *
 * @example
 * rowsUpTo(Float64Array.of(1, 2, 2, 3), 2); // 3
 */
export function rowsUpTo(values: Float64Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Whether columns of this type are compared as numbers.
 *
 * @example
 * isNumericType("timestamp"); // true
 */
export function isNumericType(type: ColumnType): type is "numeric" | "timestamp" {
  return type === "numeric" || type === "timestamp";
}
