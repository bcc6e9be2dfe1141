import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CategoricalSide, NumericSide, PresetColumn } from "../../drift/presets/preset.ts";
import { FIXTURES } from "../fixtures.ts";

/** A side of numbers; NaN and ±inf are counted apart, `null` is missing. */
export function numbers(values: readonly (number | null)[]): NumericSide {
  const there = values.filter((value) => value !== null);
  return {
    kind: "numeric",
    rows: values.length,
    missing: values.length - there.length,
    nan: there.filter(Number.isNaN).length,
    infinite: there.filter((value) => Math.abs(value) === Number.POSITIVE_INFINITY).length,
    unreadable: 0,
    sorted: Float64Array.from(there.filter(Number.isFinite)).sort(),
  };
}

/** A side of categories; `null` is missing. */
export function categories(values: readonly (string | null)[]): CategoricalSide {
  const counts = new Map<string, number>();
  for (const value of values) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  return {
    kind: "categorical",
    rows: values.length,
    missing: values.filter((value) => value === null).length,
    counts,
  };
}

/** So many rows of each category. */
export function counted(counts: Readonly<Record<string, number>>): CategoricalSide {
  const rows = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { kind: "categorical", rows, missing: 0, counts: new Map(Object.entries(counts)) };
}

export function column(
  baseline: PresetColumn["baseline"],
  current: PresetColumn["current"],
  more: Partial<PresetColumn> = {},
): PresetColumn {
  return {
    name: "x",
    type: baseline.kind,
    typeFrom: "found",
    storage: { baseline: "other", current: "other" },
    baseline,
    current,
    chunks: [],
    ...more,
  };
}

/** Both files store whole numbers. */
export const WHOLE = { baseline: "whole", current: "whole" } as const;

/** The rows of the bike data as text, per column. */
export function readBikes(): {
  readonly timestamp: readonly string[];
  readonly of: (name: string) => string[];
} {
  const [header = "", ...lines] = readFileSync(join(FIXTURES ?? "", "data/bike_sharing/hour.csv"), "utf8")
    .trim()
    .split(/\r?\n/);
  const rows = lines.map((line) => line.split(","));
  const of = (name: string) => rows.map((row) => row[header.split(",").indexOf(name)] ?? "");
  return { timestamp: of("timestamp"), of };
}
