import type { ComparedDataset, ComparedWindow, CompareResult } from "../schema/compare-result.ts";
import type { ColumnResult, ColumnSummary, Verdict } from "../schema/drift-result.ts";
import type { PresetName } from "../schema/preset-name.ts";
import type { Paint, Painter } from "./paint.ts";

const WIDTH = 100;

const PAINT: Readonly<Record<Verdict, Paint>> = {
  stable: "green",
  drifted: "red",
  "too-few": "dim",
  quality: "yellow",
  error: "red",
};

/** What to look at first. */
const ORDER: readonly Verdict[] = ["drifted", "quality", "error", "too-few", "stable"];

/** A comparison as a table of at most 100 columns: a line per data column, or per window. */
export function compareTable(result: CompareResult, paint: Painter): string {
  const head = [
    `baseline  ${side(result.baseline)}`,
    `current   ${side(result.current)}`,
    `preset ${result.preset}, ${groundsOf(result)}, ${result.elapsed_ms} ms`,
    "",
  ];
  if ("windows" in result) return [...head, ...windowLines(result.windows, paint)].join("\n");
  return [...head, ...columnLines(result, paint), "", ...datasetLines(result.dataset, paint)].join("\n");
}

function groundsOf({ preset, time_column: time }: CompareResult): string {
  if (preset !== "leeway") return "its definitions, thresholds and rules";
  return time ? `calibrated over time by "${time}"` : "rows taken as independent";
}

function side({ path, rows }: { readonly path: string; readonly rows: number }): string {
  return `${path} (${rows.toLocaleString("en")} rows)`;
}

function columnLines(
  { columns, preset }: { readonly columns: readonly ColumnResult[]; readonly preset: PresetName },
  paint: Painter,
): string[] {
  const ours = preset === "leeway";
  const digits = ours ? decimals : significant;
  const sorted = columns
    .map((column, i) => ({ column, i }))
    .sort((a, b) => ORDER.indexOf(a.column.verdict) - ORDER.indexOf(b.column.verdict) || a.i - b.i)
    .map(({ column }) => column);
  const rows = sorted.map((column) => [
    clip(column.name, 20),
    column.type === "timestamp" ? "time" : column.type,
    column.verdict,
    primaryText(column),
    column.effect === null ? "" : `${digits(column.effect)} / ${digits(column.minimum_effect)}`,
    column.p_value === null ? "" : pText(column.p_value),
    clip(changeText(column), 26),
  ]);
  const titles = [
    "column",
    "type",
    "verdict",
    "statistic",
    ours ? "effect / min" : "score / limit",
    "p",
    "baseline → current",
  ];
  const lines = align([titles, ...rows]);
  return lines.flatMap((line, i) => {
    const column = sorted[i - 1];
    if (!column) return [paint(line, "bold")];
    const painted = line.replace(` ${column.verdict} `, ` ${paint(column.verdict, PAINT[column.verdict])} `);
    // A stable column needs no explanation; --json has it.
    return column.verdict === "stable"
      ? [painted]
      : [painted, ...wrap(column.reason, 4).map((text) => paint(text, "dim"))];
  });
}

function datasetLines(
  { verdict, reason, budget, drifted, checked }: ComparedDataset,
  paint: Painter,
): string[] {
  return [
    `${paint(verdict, PAINT[verdict])}: ${drifted} of ${checked} columns drifted`,
    ...wrap(reason, 0),
    ...(budget
      ? [
          paint(
            `budget ${budget.false_alarms} (${significant(budget.per_window)} per window, all columns together), ${budget.correction} correction`,
            "dim",
          ),
        ]
      : []),
  ];
}

function windowLines(windows: readonly ComparedWindow[], paint: Painter): string[] {
  const rows = windows.map(({ from, to, rows: count, dataset, columns }) => [
    `${bound(from)} … ${bound(to)}`,
    count.toLocaleString("en"),
    dataset.verdict,
    `${dataset.drifted}/${dataset.checked}`,
    namesOf(columns),
  ]);
  const lines = align([["window", "rows", "verdict", "drifted", "columns"], ...rows]);
  const budget = windows.at(-1)?.dataset.budget;
  const bad = windows.filter(
    ({ dataset }) => dataset.verdict === "drifted" || dataset.verdict === "quality",
  ).length;
  return [
    ...lines.map((line, i) => {
      const window = windows[i - 1];
      if (!window) return paint(line, "bold");
      const { verdict } = window.dataset;
      return clip(line, WIDTH).replace(` ${verdict} `, ` ${paint(verdict, PAINT[verdict])} `);
    }),
    "",
    `${bad} of ${windows.length} windows drifted or failed a quality check`,
    ...(budget ? [paint(`budget ${budget.false_alarms}, ${budget.correction} correction`, "dim")] : []),
  ];
}

/** The columns that are not well, worst first. */
function namesOf(columns: readonly ColumnResult[]): string {
  return columns
    .filter(({ verdict }) => verdict === "drifted" || verdict === "quality" || verdict === "error")
    .sort((a, b) => (b.effect ?? 0) - (a.effect ?? 0))
    .map(({ name, verdict }) => (verdict === "drifted" ? name : `${name} (${verdict})`))
    .join(", ");
}

/** A time without what is nought, or a row number. */
function bound(at: string | number): string {
  if (typeof at === "number") return at.toLocaleString("en");
  return at.replace(/T00:00:00\.000Z$/, "").replace(/:00\.000Z$/, "Z");
}

function primaryText({ primary, statistics }: ColumnResult): string {
  if (primary === null) return "";
  const value = statistics[primary]?.value;
  return `${SHORT[primary] ?? primary} ${value === undefined ? "" : significant(value)}`;
}

const SHORT: Readonly<Record<string, string>> = {
  jensen_shannon: "js",
  wasserstein: "w1",
  chi_square: "chi2",
  cramer_von_mises: "cvm",
};

function changeText({ type, baseline, current }: ColumnResult): string {
  if (!baseline || !current) return baseline ? "absent" : current ? "new" : "";
  const missing = shareMissing(current) - shareMissing(baseline);
  if (missing > 0.05) return `missing ${percent(shareMissing(baseline))} → ${percent(shareMissing(current))}`;
  if (type === "timestamp") return "";
  if (typeof baseline.mean === "number" && typeof current.mean === "number") {
    return `mean ${significant(baseline.mean)} → ${significant(current.mean)}`;
  }
  const [top] = [...(baseline.categories ?? [])].sort((a, b) => b.count - a.count);
  if (!top) return "";
  const then = shareOf(baseline, top.category);
  return `${clip(top.category, 8)} ${percent(then)} → ${percent(shareOf(current, top.category))}`;
}

function shareMissing({ missing, count }: ColumnSummary): number {
  return count > 0 ? missing / count : 0;
}

function shareOf({ categories = [], count, missing }: ColumnSummary, category: string): number {
  const found = categories.find((entry) => entry.category === category)?.count ?? 0;
  return count > missing ? found / (count - missing) : 0;
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

function pText(p: number): string {
  if (p < 1e-16) return "<1e-16";
  return p < 0.001 ? p.toExponential(0) : p.toFixed(3);
}

function decimals(value: number): string {
  return value.toFixed(2);
}

/** Four significant digits, without zeros that say nothing. */
function significant(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

function clip(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line.length > 0 && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => `${" ".repeat(indent)}${each}`);
}
