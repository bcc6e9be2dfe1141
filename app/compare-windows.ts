import { durationMs } from "../schema/duration.ts";
import { ServiceError } from "../schema/errors.ts";
import type { Dataset, Slice } from "../store/dataset.ts";
import { BLOCK_MS } from "./build-baseline.ts";
import { type Window, windowAt, windowsWithin } from "./window-grid.ts";

/** A window of a file, with its length in time where it has one. */
export interface Part {
  readonly from: string | number;
  readonly to: string | number;
  readonly slice: Slice | undefined;
  readonly lengthMs: number | undefined;
}

/** The file as windows of time or of rows; as one when no window is asked for. */
export async function windowsOf(
  current: Dataset,
  timeColumn: string | undefined,
  window: string | undefined,
): Promise<Part[]> {
  if (window === undefined)
    return [
      {
        from: 0,
        to: current.rows,
        slice: undefined,
        lengthMs: timeColumn ? await activeTimeMs(current, timeColumn) : undefined,
      },
    ];
  const byRows = /^(\d+)rows$/.exec(window);
  if (byRows) {
    const size = Number(byRows[1]);
    if (size < 1) throw new ServiceError("invalid-input", `--window ${window}: at least 1 row`);
    return Array.from({ length: Math.max(1, Math.ceil(current.rows / size)) }, (_, i) => {
      const to = Math.min(current.rows, (i + 1) * size);
      return { from: i * size, to, slice: { rows: { from: i * size, to } }, lengthMs: undefined };
    });
  }
  let lengthMs: number;
  try {
    lengthMs = durationMs(window);
  } catch {
    throw new ServiceError(
      "invalid-input",
      `--window ${window}: expected a duration such as 1d, or a number of rows such as 1000rows`,
    );
  }
  if (!timeColumn)
    throw new ServiceError(
      "invalid-input",
      `--window ${window} needs a time column: name it with --time-column`,
    );
  const range = await current.timeRange(timeColumn);
  if (!range)
    throw new ServiceError("invalid-input", `column "${timeColumn}" of ${current.path} holds no time`);
  const first = windowAt(range.from, lengthMs);
  const last = windowAt(range.to, lengthMs);
  return windowsWithin(first.from, last.to, lengthMs).map(({ from, to }) => ({
    from: from.toISOString(),
    to: to.toISOString(),
    slice: { time: { column: timeColumn, from, to } },
    lengthMs: coveredMs({ from, to }, range),
  }));
}

/** The first and the last window may be partly outside the file: they are judged as windows of the hours that they do cover. */
function coveredMs(window: Window, range: { readonly from: Date; readonly to: Date }): number {
  const from = Math.max(window.from.getTime(), range.from.getTime());
  const to = Math.min(
    window.to.getTime(),
    (Math.floor(range.to.getTime() / BLOCK_MS.hour) + 1) * BLOCK_MS.hour,
  );
  const wholeHours = Math.ceil((to - from) / BLOCK_MS.hour) * BLOCK_MS.hour;
  return Math.min(window.to.getTime() - window.from.getTime(), wholeHours);
}

/**
 * How much time the file covers: as many hours, or days, as have rows. Days picked out of a year are that many
 * days, not a year; taking them as neighbours in the calibration errs towards calm.
 */
async function activeTimeMs(dataset: Dataset, timeColumn: string): Promise<number | undefined> {
  const hours = (await dataset.blockCounts(timeColumn, "hour", [])).map(({ start }) => start.getTime());
  if (hours.length === 0) return undefined;
  const days = new Set(hours.map((hour) => Math.floor(hour / BLOCK_MS.day))).size;
  return days <= 2 ? Math.min(hours.length, 24 * days) * BLOCK_MS.hour : days * BLOCK_MS.day;
}
