import type { WindowResult } from "../schema/drift-result.ts";
import type { Observed } from "./observed.ts";
import { calledColumns, causeOf, keyOf, spanOf } from "./words.ts";

/** One line of the table: windows in a row about which Leeway said the same. */
export interface TableLine {
  readonly window: string;
  readonly rows: string;
  readonly drifted: string;
  readonly cause: string;
  readonly action: string;
}

/** The story as a table: the days first, then the weeks. */
export function tableLines(observed: Observed): {
  readonly daily: TableLine[];
  readonly weekly: TableLine[];
} {
  return {
    daily: lines(observed.days, () => ""),
    weekly: lines(observed.weeks, (week) => decisionOn(week, observed)),
  };
}

function lines(results: readonly WindowResult[], actionOf: (result: WindowResult) => string): TableLine[] {
  const groups: WindowResult[][] = [];
  let last = "";
  for (const result of results) {
    const key = `${result.version} ${keyOf(result)} ${actionOf(result)}`;
    if (key === last) groups.at(-1)?.push(result);
    else groups.push([result]);
    last = key;
  }
  return groups.flatMap((group) => {
    const [first] = group;
    const end = group.at(-1);
    if (!first || !end) return [];
    const called = calledColumns(first);
    return {
      window: `${spanOf(first.from, end.to)}${group.length > 1 ? ` (${group.length})` : ""}`,
      rows: rowsOf(group),
      drifted: called.map(({ name }) => name).join(", ") || "none",
      cause:
        called
          .map(causeOf)
          .filter((text) => text !== "")
          .join("; ") || "-",
      action:
        actionOf(first) ||
        (first.dataset.verdict === "quality" ? "mail to the team; never a reason to retrain" : "-"),
    };
  });
}

function decisionOn(week: WindowResult, { decisions, runs }: Observed): string {
  const decision = decisions.find(({ window }) => Date.parse(window.from) === Date.parse(week.from));
  if (!decision || decision.reason === "quiet") return "";
  if (decision.action === "none") return `no retraining: ${decision.reason}`;
  const run = runs.find(({ id }) => id === decision.run_id);
  const version = run?.reports.findLast((report) => report.version !== undefined)?.version;
  return `retraining requested${version === undefined ? "" : `, version ${version}`}`;
}

function rowsOf(group: readonly WindowResult[]): string {
  const rows = group.map((result) => result.rows);
  const [least, most] = [Math.min(...rows), Math.max(...rows)].map((count) => count.toLocaleString("en-US"));
  return least === most ? `${least}` : `${least} to ${most}`;
}

const HEAD: TableLine = {
  window: "window",
  rows: "rows",
  drifted: "drifted features",
  cause: "cause",
  action: "action",
};

/** The lines under a head, in columns as wide as their widest cell. */
export function layOut(table: readonly TableLine[]): string {
  const keys = ["window", "rows", "drifted", "cause", "action"] as const;
  const all = [HEAD, ...table];
  const widths = keys.map((key) => Math.max(...all.map((line) => line[key].length)));
  const row = (line: TableLine) =>
    keys
      .map((key, i) => line[key].padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return [row(HEAD), widths.map((width) => "-".repeat(width)).join("  "), ...table.map(row)].join("\n");
}
