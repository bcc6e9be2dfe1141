import {
  type BaselineColumn,
  type CategoricalBaseline,
  isNumeric,
  type NumericBaseline,
  usableRows,
} from "./baseline-column.ts";
import { coarsen } from "./bins.ts";
import type { ObservedColumn, ObservedNumeric } from "./observed-column.ts";

/** Both sides of a column counted on the same bins or categories. */
export interface BinnedPair {
  readonly reference: readonly number[];
  readonly current: readonly number[];
}

/**
 * Whether the ten quantile bins see a numeric column: at least two are left once equal edges are one.
 *
 * @example
 * hasBins(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3))); // true
 */
export function hasBins(baseline: NumericBaseline): boolean {
  return baseline.edges.length >= 3;
}

/**
 * The counts that the deciding test is made on: the ten quantile bins of a numeric column, or its single values and what lies
 * between and beyond them where it has hardly any; the listed categories and, last, all the rest.
 *
 * @example
 * testCounts(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3)),
 *   observeNumeric(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3)),
 *   { rows: 2, missing: 0, unusable: 0 }, Float64Array.of(0, 9))).current; // [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
 */
export function testCounts(baseline: BaselineColumn, current: ObservedColumn): BinnedPair {
  if (isNumeric(baseline)) {
    if (current.kind !== "numeric")
      throw new RangeError(`column "${baseline.name}" is numeric, its window is not`);
    if (!hasBins(baseline)) return cumulativeCounts(baseline, current);
    return {
      reference: coarsen(baseline.fine_counts, baseline.fine_edges, baseline.edges),
      current: coarsen(current.fine_counts, baseline.fine_edges, baseline.edges),
    };
  }
  if (current.kind !== "categorical")
    throw new RangeError(`column "${baseline.name}" is categorical, its window is not`);
  const listed = baseline.categories.map(({ category }) => current.counts.get(category) ?? 0);
  const rest = usableRows(current) - listed.reduce((sum, count) => sum + count, 0);
  return {
    reference: [...baseline.categories.map(({ count }) => count), baseline.other],
    current: [...listed, Math.max(0, rest)],
  };
}

/**
 * All categories of either side, for the statistics that are defined on them.
 *
 * @example
 * allCategories(categoricalBaseline({ name: "c", role: "input", type: "categorical", rows: 3, missing: 0, unusable: 0 },
 *   new Map([["a", 2], ["b", 1]])), new Map([["b", 1], ["new", 4]])); // { reference: [2, 1, 0], current: [0, 1, 4] }
 */
export function allCategories(
  baseline: CategoricalBaseline,
  counts: ReadonlyMap<string, number>,
): BinnedPair {
  const listed = new Set(baseline.categories.map(({ category }) => category));
  const fresh = [...counts].filter(([category]) => !listed.has(category));
  // A baseline's unlisted categories cannot be told apart any more: they and what is new are one.
  const unlisted =
    baseline.other > 0 ? [fresh.reduce((sum, [, count]) => sum + count, 0)] : fresh.map(([, count]) => count);
  return {
    reference: [
      ...baseline.categories.map(({ count }) => count),
      ...(baseline.other > 0 ? [baseline.other] : fresh.map(() => 0)),
    ],
    current: [...baseline.categories.map(({ category }) => counts.get(category) ?? 0), ...unlisted],
  };
}

/**
 * Counts below the baseline's smallest value, at it, per fine bin, and above its largest.
 *
 * @example
 * cumulativeCounts(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3)),
 *   observeNumeric(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3)),
 *   { rows: 2, missing: 0, unusable: 0 }, Float64Array.of(0, 9))).current.at(-1); // 1
 */
export function cumulativeCounts(baseline: NumericBaseline, current: ObservedNumeric): BinnedPair {
  const inner = [...current.fine_counts];
  inner[0] = (inner[0] ?? 0) - current.below;
  inner[inner.length - 1] = (inner.at(-1) ?? 0) - current.above;
  return { reference: [0, ...baseline.fine_counts, 0], current: [current.below, ...inner, current.above] };
}
