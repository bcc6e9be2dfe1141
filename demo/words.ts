import { movedMost, percent } from "../alerts/then-and-now.ts";
import type { ColumnResult, WindowResult } from "../schema/drift-result.ts";

/** Columns of a window that are not as in the baseline. */
export function calledColumns({ columns }: Pick<WindowResult, "columns">): ColumnResult[] {
  return columns.filter(
    ({ verdict }) => verdict === "drifted" || verdict === "quality" || verdict === "error",
  );
}

/** Windows with the same words are one to a reader: `quality distance, drifted hour`. */
export function keyOf(result: Pick<WindowResult, "columns" | "dataset">): string {
  const called = calledColumns(result).map(({ name, verdict }) => `${verdict} ${name}`);
  return `${result.dataset.verdict}: ${called.sort().join(", ")}`;
}

/** The cause as Leeway gave it, in as few words as it can be said. */
export function causeOf({ name, cause }: ColumnResult): string {
  if (cause === null) return "";
  if (cause.kind !== "unit-change")
    return cause.kind === "shift" ? `${name}: distribution changed` : `${name}: ${cause.detail}`;
  const factor = cause.factor === undefined ? "" : ` (x ${Number(cause.factor.toPrecision(4))})`;
  return `${name}: unit change${factor}`;
}

/** A called column in a sentence or two: Leeway's reason, and the shares that moved most. */
export function describe(column: ColumnResult): string {
  const moved = movedMost(column, 4).map(
    ({ label, before, now }) => `${label} ${percent(before)} -> ${percent(now)}`,
  );
  const shares = column.verdict === "drifted" && moved.length > 0 ? ` Moved most: ${moved.join(", ")}.` : "";
  return `${column.name} is called ${column.verdict === "quality" ? "a data fault" : column.verdict}: ${column.reason}.${shares}`;
}

export function dayOf(time: string | Date): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** `2001-04-02 to 2001-04-08` */
export function spanOf(from: string, to: string): string {
  const last = dayOf(new Date(Date.parse(to) - 1)); // half-open: the end is not in it
  return dayOf(from) === last ? last : `${dayOf(from)} to ${last}`;
}
