import type { ColumnType, StatisticName, StatisticResult, Verdict } from "../../schema/drift-result.ts";

/** Numbers of one side of a comparison, as they are in the file. */
export interface NumericSide {
  readonly kind: "numeric";
  /** Rows, missing ones included. */
  readonly rows: number;
  readonly missing: number;
  readonly nan: number;
  readonly infinite: number;
  /** Text where a number was due. */
  readonly unreadable: number;
  /** The finite values, ascending. */
  readonly sorted: Float64Array;
}

/** Categories of one side of a comparison. */
export interface CategoricalSide {
  readonly kind: "categorical";
  readonly rows: number;
  readonly missing: number;
  readonly counts: ReadonlyMap<string, number>;
}

export type Side = NumericSide | CategoricalSide;

export type Storage = "whole" | "other";

/** A column as another tool would get it. */
export interface PresetColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** `stated` by the user: then the tool's own guess of what the column is does not count. */
  readonly typeFrom: "found" | "stated";
  /** Whether each file stores whole numbers; some tools take few different ones as categories. */
  readonly storage: { readonly baseline: Storage; readonly current: Storage };
  readonly baseline: Side;
  readonly current: Side;
  /** The baseline in pieces, for a tool that takes its threshold from them; else none. */
  readonly chunks: readonly Side[];
}

/** What a tool's rule says of a column. */
export interface Finding {
  readonly verdict: Verdict;
  /** What follows "by …'s rule: ". */
  readonly because: string;
  readonly primary: StatisticName | null;
  readonly statistics: Readonly<Record<string, StatisticResult | null>>;
  /** The deciding number, where it is a distance, and the limit it was held to. */
  readonly distance: { readonly value: number; readonly limit: number } | null;
  readonly pValue: number | null;
}

/** What a tool's rule says of all columns together. */
export interface DatasetCall {
  readonly verdict: "stable" | "drifted";
  readonly because: string;
}

/** Another tool's definitions, thresholds and rules. */
export interface Preset {
  /** Its name as people write it. */
  readonly tool: string;
  /** Whether the threshold comes from the baseline in pieces. */
  readonly threshold: "fixed" | "from-chunks";
  /** What the tool does where a side holds no value. */
  readonly onEmpty: string;
  readonly judge: (column: PresetColumn) => Finding;
  readonly judgeDataset: (drifted: number, checked: number) => DatasetCall;
}

/**
 * Values that can be compared: there, finite, and of the column's type.
 *
 * @example
 * usableValues({ kind: "categorical", rows: 3, missing: 1, counts: new Map([["a", 2]]) }); // 2
 */
export function usableValues(side: Side): number {
  return side.kind === "numeric" ? side.sorted.length : side.rows - side.missing;
}

/**
 * The sum of some numbers.
 *
 * @example
 * sum([1, 2, 3]); // 6
 */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * A column that the tool does not compare.
 *
 * @example
 * notCompared("it compares no times").verdict; // "error"
 */
export function notCompared(because: string): Finding {
  return { verdict: "error", because, primary: null, statistics: {}, distance: null, pValue: null };
}

/**
 * The verdict where a distance decides.
 *
 * @param reached - Whether the rule calls the distance: at or above, or only above, differs from tool to tool.
 */
export function byDistance(
  primary: StatisticName,
  statistics: Finding["statistics"],
  { value, limit, reached, words }: Distance,
): Finding {
  const drifted = reached === "at-least" ? value >= limit : value > limit;
  const side = drifted
    ? reached === "at-least"
      ? "at or above"
      : "above"
    : reached === "at-least"
      ? "below"
      : "not above";
  return {
    verdict: drifted ? "drifted" : "stable",
    because: `${words(apartFrom(limit, value))}, ${side} ${short(limit)}`,
    primary,
    statistics,
    distance: { value, limit },
    pValue: null,
  };
}

interface Distance {
  readonly value: number;
  readonly limit: number;
  readonly reached: "at-least" | "above";
  readonly words: (value: string) => string;
}

/** The verdict where a p-value decides. */
export function byPValue(
  primary: StatisticName,
  statistics: Finding["statistics"],
  { pValue, limit, reached, test }: PValue,
): Finding {
  const drifted = reached === "at-most" ? pValue <= limit : pValue < limit;
  const side = drifted
    ? reached === "at-most"
      ? "at or below"
      : "below"
    : reached === "at-most"
      ? "above"
      : "not below";
  return {
    verdict: drifted ? "drifted" : "stable",
    because: `p = ${apartFrom(limit, pValue)} of the ${test}, ${side} ${short(limit)}`,
    primary,
    statistics,
    distance: null,
    pValue,
  };
}

interface PValue {
  readonly pValue: number;
  readonly limit: number;
  readonly reached: "at-most" | "below";
  readonly test: string;
}

/** A number in three digits, in more where it would read like the limit that it is not. */
function apartFrom(limit: number, value: number): string {
  return short(value) === short(limit) ? String(Number(value.toPrecision(9))) : short(value);
}

/**
 * A number as people read it: three digits.
 *
 * @example
 * short(0.123456); // "0.123"
 */
export function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
