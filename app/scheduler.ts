import { durationMs } from "../schema/duration.ts";
import { ServiceError } from "../schema/errors.ts";
import type { StoredMonitor } from "../store/monitors.ts";
import { nextRecordTime } from "../store/training-export.ts";
import type { Baseline } from "./baseline.ts";
import { checkWindow, type MonitorParts } from "./monitor.ts";
import { hideMonitor, showNewest } from "./show-result.ts";
import { type Window, windowAt } from "./window-grid.ts";

/** Windows checked in one turn of one monitor, so that a long catch-up does not hold up the others. */
const WINDOWS_PER_TURN = 50;

export interface SchedulerReport {
  readonly checked: number;
  readonly failed: readonly { readonly monitor: StoredMonitor; readonly error: unknown }[];
}

/**
 * Checks every window that has closed and was not checked: once each, oldest first, also those that closed
 * while the service was down. A window closes `grace` after its end.
 */
export async function checkDueWindows(parts: MonitorParts): Promise<SchedulerReport> {
  let checked = 0;
  const failed: { monitor: StoredMonitor; error: unknown }[] = [];
  for (const monitor of await parts.monitors.list()) {
    if (!monitor.spec.enabled) {
      hideMonitor(parts.metrics, monitor);
      continue;
    }
    try {
      checked += await checkMonitor(parts, monitor);
    } catch (error) {
      failed.push({ monitor, error }); // the others go on; this one is tried again next time
    }
  }
  return { checked, failed };
}

async function checkMonitor(parts: MonitorParts, monitor: StoredMonitor): Promise<number> {
  let checked = 0;
  let next = await firstWindow(parts, monitor);
  let lastWasEmpty = false;
  while (next && checked < WINDOWS_PER_TURN && isClosed(monitor, next, parts.now())) {
    const result = await checkWindow(parts, monitor, next);
    checked += 1;
    next = await following(parts, monitor, {
      window: next,
      gap: lastWasEmpty && result.rows === 0 ? "long" : "none",
    });
    lastWasEmpty = result.rows === 0;
  }
  if (checked > 0) await showNewest(parts, monitor);
  showNextCheck(parts, monitor, next);
  return checked;
}

/** A monitor without a record yet waits for nothing and cannot be late. */
function showNextCheck(
  { metrics }: MonitorParts,
  { model, name, spec }: StoredMonitor,
  next: Window | undefined,
): void {
  if (!next) return;
  const dueMs = next.to.getTime() + durationMs(spec.grace);
  metrics.set("leeway_next_check_timestamp_seconds", { model, monitor: name }, dueMs / 1_000);
}

function isClosed({ spec }: StoredMonitor, window: Window, now: Date): boolean {
  return window.to.getTime() + durationMs(spec.grace) <= now.getTime();
}

function origin({ spec }: StoredMonitor): Date | undefined {
  return spec.start === undefined ? undefined : new Date(spec.start);
}

/** Of a window that begins before the first record at least this share has to be covered. */
const COVERED = 0.9;

/** The first window not yet checked: after the last one checked, from the start that was asked for, or the first whole one with records. */
async function firstWindow(parts: MonitorParts, monitor: StoredMonitor): Promise<Window | undefined> {
  const length = durationMs(monitor.spec.window);
  if (monitor.next_window !== null) return windowAt(new Date(monitor.next_window), length, origin(monitor));
  if (monitor.spec.start !== undefined)
    return windowAt(new Date(monitor.spec.start), length, origin(monitor));
  const baseline = await baselineOf(parts, monitor);
  await parts.collector.flush(); // what was acknowledged counts
  const range = await parts.records.timeRange(monitor.model, baseline?.id);
  if (!range) return undefined;
  const first = windowAt(range.first, length, origin(monitor));
  const covered = (first.to.getTime() - range.first.getTime()) / length;
  return covered >= COVERED ? first : windowAt(first.to, length, origin(monitor));
}

/** Undefined while there is none: then the first window says so. */
async function baselineOf(
  parts: MonitorParts,
  { model, spec }: StoredMonitor,
): Promise<Baseline | undefined> {
  return parts.baselines.get(model, spec.version).catch((error: unknown) => {
    if (error instanceof ServiceError && error.code === "not-found") return undefined;
    throw error;
  });
}

/**
 * The next window. Of a long stretch without records only the first two windows are checked and told of; then the
 * scheduler goes to the next one with records, or to the newest, so that one old record does not cost thousands of empty checks.
 */
async function following(
  parts: MonitorParts,
  monitor: StoredMonitor,
  { window, gap }: { readonly window: Window; readonly gap: "long" | "none" },
): Promise<Window> {
  const length = durationMs(monitor.spec.window);
  const next = windowAt(window.to, length, origin(monitor));
  if (gap === "none") return next;
  const record = await nextRecordTime(parts.database, monitor.model, next.from);
  const newest = windowAt(
    new Date(parts.now().getTime() - durationMs(monitor.spec.grace) - length),
    length,
    origin(monitor),
  );
  const target = record && record < newest.from ? windowAt(record, length, origin(monitor)) : newest;
  return target.from > next.from ? target : next;
}
