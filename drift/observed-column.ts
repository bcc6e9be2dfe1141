import {
  type CategoricalBaseline,
  countUpTo,
  meanAndStd,
  type NumericBaseline,
  rowsUpTo,
  usableRows,
} from "./baseline-column.ts";

interface Common {
  /** Rows, missing ones included. */
  readonly rows: number;
  readonly missing: number;
  /** Values that are no finite number, or of another type than the column's. */
  readonly unusable: number;
  /** Where only a sample was stored: what was counted, weight by weight. Absent when every row stands for itself. */
  readonly sample?: readonly WeightedPart[] | undefined;
}

/** Rows that stand for `weight` rows each, as they were counted. */
export interface WeightedPart {
  readonly weight: number;
  readonly counted: ObservedColumn;
}

/** A numeric column in a window, counted on the baseline's bins. */
export interface ObservedNumeric extends Common {
  readonly kind: "numeric";
  readonly mean: number | null;
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** Rows up to each fine edge of the baseline, as `fine_counts` there; values outside are in the end bins. */
  readonly fine_counts: readonly number[];
  readonly below: number;
  readonly above: number;
}

/** A categorical column in a window. */
export interface ObservedCategorical extends Common {
  readonly kind: "categorical";
  readonly counts: ReadonlyMap<string, number>;
}

export type ObservedColumn = ObservedNumeric | ObservedCategorical;

/**
 * Counts a window's sorted values on the baseline's bins.
 *
 * @example
 * observeNumeric(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3)),
 *   { rows: 2, missing: 0, unusable: 0 }, Float64Array.of(2, 9)).above; // 1
 */
export function observeNumeric(
  baseline: NumericBaseline,
  about: Common,
  values: Float64Array,
): ObservedNumeric {
  const empty = values.length === 0;
  return {
    kind: "numeric",
    ...about,
    ...meanAndStd(values),
    min: empty ? null : (values[0] ?? null),
    max: empty ? null : (values.at(-1) ?? null),
    fine_counts: countUpTo(values, baseline.fine_edges),
    below: baseline.min === null ? 0 : rowsBelow(values, baseline.min),
    above: baseline.max === null ? 0 : values.length - rowsUpTo(values, baseline.max),
  };
}

function rowsBelow(values: Float64Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Adds two observations of the same column: hours to a day, days to a week. Associative and
 * commutative up to rounding (moments are merged by Chan, Golub and LeVeque 1979).
 *
 * @example
 * mergeObserved(nothingObserved(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3))),
 *   observeNumeric(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3)),
 *   { rows: 2, missing: 0, unusable: 0 }, Float64Array.of(1, 2))).mean; // 1.5
 */
export function mergeObserved(a: ObservedColumn, b: ObservedColumn): ObservedColumn {
  const common = {
    rows: a.rows + b.rows,
    missing: a.missing + b.missing,
    unusable: a.unusable + b.unusable,
    ...(a.sample || b.sample ? { sample: mergeParts([...partsOf(a), ...partsOf(b)]) } : {}),
  };
  if (a.kind === "categorical" && b.kind === "categorical") {
    const counts = new Map(a.counts);
    for (const [category, count] of b.counts) counts.set(category, (counts.get(category) ?? 0) + count);
    return { kind: "categorical", ...common, counts };
  }
  if (a.kind !== "numeric" || b.kind !== "numeric")
    throw new RangeError("mergeObserved: one side is numeric, the other categorical");
  return {
    kind: "numeric",
    ...common,
    ...mergeMoments(momentsOf(a), momentsOf(b)),
    min: extreme(Math.min, a.min, b.min),
    max: extreme(Math.max, a.max, b.max),
    fine_counts: a.fine_counts.map((count, i) => count + (b.fine_counts[i] ?? 0)),
    below: a.below + b.below,
    above: a.above + b.above,
  };
}

/**
 * What rows that stand for `weight` rows each say of all: counts are multiplied, shares and moments stay.
 *
 * @param weight - Above 0; 1 when each row stands for itself.
 * @example
 * weighObserved(observeNumeric(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3)),
 *   { rows: 2, missing: 0, unusable: 0 }, Float64Array.of(2, 9)), 10).rows; // 20
 */
export function weighObserved(counted: ObservedColumn, weight: number): ObservedColumn {
  if (weight === 1) return counted;
  if (!(weight > 0)) throw new RangeError(`weighObserved: weight ${weight} is not above 0`);
  const common = {
    rows: counted.rows * weight,
    missing: counted.missing * weight,
    unusable: counted.unusable * weight,
    sample: [{ weight, counted }],
  };
  if (counted.kind === "categorical") {
    const counts = new Map([...counted.counts].map(([category, count]) => [category, count * weight]));
    return { kind: "categorical", ...common, counts };
  }
  return {
    ...counted,
    ...common,
    fine_counts: counted.fine_counts.map((count) => count * weight),
    below: counted.below * weight,
    above: counted.above * weight,
  };
}

/**
 * How many rows, each standing for itself, the usable rows of a column are worth: Kish's `(sum w)^2 / sum w^2`.
 *
 * @see Kish (1965), Survey Sampling, section 11.7.
 * @example
 * effectiveRows(weighObserved(observeNumeric(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3,
 *   missing: 0, unusable: 0 }, Float64Array.of(1, 2, 3)),
 *   { rows: 2, missing: 0, unusable: 0 }, Float64Array.of(2, 9)), 10)); // 2
 */
export function effectiveRows(column: ObservedColumn): number {
  if (!column.sample) return usableRows(column);
  let weights = 0;
  let squares = 0;
  for (const { weight, counted } of column.sample) {
    weights += weight * usableRows(counted);
    squares += weight ** 2 * usableRows(counted);
  }
  return squares === 0 ? 0 : weights ** 2 / squares;
}

function partsOf(column: ObservedColumn): readonly WeightedPart[] {
  if (column.sample) return column.sample;
  return column.rows === 0 ? [] : [{ weight: 1, counted: column }];
}

/** One part per weight; those within about a fifth of each other are one, with their mean. */
function mergeParts(parts: readonly WeightedPart[]): WeightedPart[] {
  const merged = new Map<number, WeightedPart>();
  for (const part of parts) {
    const key = Math.round(4 * Math.log2(part.weight));
    const known = merged.get(key);
    merged.set(key, known ? mergePart(known, part) : part);
  }
  return [...merged.values()];
}

function mergePart(a: WeightedPart, b: WeightedPart): WeightedPart {
  const counted = mergeObserved(a.counted, b.counted);
  const weight =
    a.weight === b.weight || counted.rows === 0
      ? a.weight
      : (a.weight * a.counted.rows + b.weight * b.counted.rows) / counted.rows;
  return { weight, counted };
}

interface Moments {
  readonly n: number;
  readonly mean: number | null;
  readonly std: number | null;
}

function momentsOf(column: ObservedNumeric): Moments {
  return { n: column.rows - column.missing - column.unusable, mean: column.mean, std: column.std };
}

function mergeMoments(a: Moments, b: Moments): { mean: number | null; std: number | null } {
  if (a.mean === null || a.n === 0) return { mean: b.mean, std: b.std };
  if (b.mean === null || b.n === 0) return { mean: a.mean, std: a.std };
  const n = a.n + b.n;
  const delta = b.mean - a.mean;
  const squares =
    (a.std ?? 0) ** 2 * Math.max(0, a.n - 1) +
    (b.std ?? 0) ** 2 * Math.max(0, b.n - 1) +
    (delta ** 2 * a.n * b.n) / n;
  return { mean: a.mean + (delta * b.n) / n, std: n > 1 ? Math.sqrt(squares / (n - 1)) : null };
}

function extreme(pick: (a: number, b: number) => number, a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : pick(a, b);
}

/**
 * What a window without rows shows of a column.
 *
 * @example
 * nothingObserved(numericBaseline({ name: "n", role: "input", type: "numeric", rows: 3, missing: 0, unusable: 0 },
 *   Float64Array.of(1, 2, 3))).rows; // 0
 */
export function nothingObserved(baseline: NumericBaseline | CategoricalBaseline): ObservedColumn {
  const common = { rows: 0, missing: 0, unusable: 0 };
  if ("categories" in baseline) return { kind: "categorical", ...common, counts: new Map() };
  return {
    kind: "numeric",
    ...common,
    mean: null,
    std: null,
    min: null,
    max: null,
    fine_counts: baseline.fine_counts.map(() => 0),
    below: 0,
    above: 0,
  };
}
