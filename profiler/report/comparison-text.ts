import type { ProfileComparison } from "../../schema/profile.ts";
import { milliseconds } from "../judge-window.ts";

const NAMES = {
  p50: "p50",
  objective: "",
  cpu_per_request: "CPU per request",
  memory: "memory",
  failed_share: "failed",
} as const;

/** A comparison as a terminal shows it: a line per figure, and a sentence on each difference. */
export function comparisonText({
  a,
  b,
  rate,
  objective,
  pairs,
  limiter,
  figures,
}: ProfileComparison): string {
  const rows = figures.map(({ name, unit, a: ofA, b: ofB, difference, interval, verdict }) => [
    name === "objective" ? `p${objective.percentile}` : NAMES[name],
    value(ofA, unit),
    value(ofB, unit),
    `${signed(difference)} (${signed(interval[0])} to ${signed(interval[1])})`,
    verdict === "no-difference" ? "no difference" : verdict === "a-smaller" ? "A is smaller" : "B is smaller",
  ]);
  const all = [["", "A", "B", "B - A (95 % interval)", ""], ...rows];
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return [
    `A  ${a}`,
    `B  ${b}`,
    `${rate}/s, ${pairs} pairs of windows in turns, limited by ${limiter}`,
    "",
    ...all.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd()),
  ].join("\n");
}

function value(number: number, unit: string): string {
  if (unit === "ms") return milliseconds(number);
  return unit === "" ? `${Number((100 * number).toPrecision(2))} %` : `${Math.round(number)} ${unit}`;
}

function signed(number: number): string {
  return `${number > 0 ? "+" : ""}${Number(number.toPrecision(3))}`;
}
