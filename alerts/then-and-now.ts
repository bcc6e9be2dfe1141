import type { ColumnResult, ColumnSummary } from "../schema/drift-result.ts";

/** One figure of a column in the baseline and in the window, as people read it. */
export interface Figure {
  readonly name: string;
  readonly before: string;
  readonly now: string;
  readonly change: string | null;
}

/** A bin or category with its share of the rows that hold a value. */
export interface MovedShare {
  readonly label: string;
  readonly before: number;
  readonly now: number;
}

/** Then and now in figures: mean and spread where there are any, range, and missing values where there are or were some. */
export function figures({ type, baseline, current }: ColumnResult): Figure[] {
  if (!baseline || !current) return [];
  const show = type === "timestamp" ? showTime : showNumber;
  const found: Figure[] = [];
  const add = (
    name: string,
    pick: (side: ColumnSummary) => number | null | undefined,
    change: "ratio" | "none",
  ) => {
    const before = pick(baseline);
    const now = pick(current);
    if (before === null || before === undefined || now === null || now === undefined) return;
    found.push({
      name,
      before: show(before),
      now: show(now),
      change: change === "ratio" && type !== "timestamp" ? relative(before, now) : null,
    });
  };
  add("mean", ({ mean }) => mean, "ratio");
  if (type !== "timestamp") add("standard deviation", ({ std }) => std, "ratio");
  add("lowest", ({ min }) => min, "none");
  add("highest", ({ max }) => max, "none");
  if (baseline.missing > 0 || current.missing > 0) {
    const before = share(baseline.missing, baseline.count);
    const now = share(current.missing, current.count);
    found.push({ name: "missing", before: percent(before), now: percent(now), change: points(now - before) });
  }
  return found;
}

/** A mean that moved by less of the baseline's standard deviation says little of a change. */
const TELLING_MOVE = 0.1;

/** The one figure that shows the change best: missing values if they are the cause, a mean that moved, or the share that moved most. */
export function inOneFigure(column: ColumnResult): Figure | null {
  const { baseline, current, cause } = column;
  if (!baseline || !current) return null;
  const found = figures(column);
  const named = (wanted: string) => found.find(({ name }) => name === wanted);
  const missing = cause?.kind === "missing" ? named("missing") : undefined;
  if (missing) return missing;
  const moved = Math.abs((current.mean ?? 0) - (baseline.mean ?? 0));
  const mean = named("mean");
  if (mean && moved > 0 && moved >= TELLING_MOVE * (baseline.std ?? 0)) return mean;
  const [most] = movedMost(column, 1);
  if (!most) return mean ?? null;
  return {
    name: `share of ${most.label}`,
    before: percent(most.before),
    now: percent(most.now),
    change: points(most.now - most.before),
  };
}

/** The bins or categories whose share has moved most, the largest move first. */
export function movedMost({ type, baseline, current }: ColumnResult, limit: number): MovedShare[] {
  if (!baseline || !current) return [];
  const before = shares(baseline, type);
  const now = shares(current, type);
  return [...new Set([...before.keys(), ...now.keys()])]
    .map((label) => ({ label, before: before.get(label) ?? 0, now: now.get(label) ?? 0 }))
    .filter((moved) => Math.abs(moved.now - moved.before) >= 0.001)
    .sort((a, b) => Math.abs(b.now - b.before) - Math.abs(a.now - a.before))
    .slice(0, limit);
}

function shares({ bins, categories }: ColumnSummary, type: ColumnResult["type"]): Map<string, number> {
  const show = type === "timestamp" ? showTime : showNumber;
  const counts = bins
    ? bins.map(({ from, to, count }) => [binLabel(from, to, show), count] as const)
    : (categories ?? []).map(({ category, count }) => [category, count] as const);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const found = new Map<string, number>();
  for (const [label, count] of counts) found.set(label, (found.get(label) ?? 0) + share(count, total));
  return found;
}

function binLabel(from: number | null, to: number | null, show: (value: number) => string): string {
  if (from === null) return to === null ? "any value" : `up to ${show(to)}`;
  return to === null ? `above ${show(from)}` : `${show(from)} to ${show(to)}`;
}

/** Four digits, or all those before the point and one after; thousands grouped. */
export function showNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(2);
  const digits = size >= 1_000 ? { maximumFractionDigits: 1 } : { maximumSignificantDigits: 4 };
  return new Intl.NumberFormat("en-US", digits).format(value);
}

/** Timestamps are summarised in seconds since 1970. */
function showTime(seconds: number): string {
  const time = new Date(seconds * 1_000);
  return Number.isNaN(time.getTime())
    ? showNumber(seconds)
    : `${time.toISOString().slice(0, 16).replace("T", " ")}Z`;
}

export function percent(value: number): string {
  const shown = value * 100;
  return `${shown.toFixed(shown >= 99.95 || shown === 0 ? 0 : 1)} %`;
}

function points(difference: number): string {
  return `${difference >= 0 ? "+" : "−"}${Math.abs(difference * 100).toFixed(1)} points`;
}

function relative(before: number, now: number): string | null {
  if (before === 0 || Math.sign(before) !== Math.sign(now)) return null;
  const ratio = now / before;
  if (ratio >= 10 || ratio <= 0.1) return `× ${showNumber(Number(ratio.toPrecision(3)))}`;
  return `${ratio >= 1 ? "+" : "−"}${Math.abs((ratio - 1) * 100).toFixed(1)} %`;
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
