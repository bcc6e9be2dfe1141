import type { LabelCounts } from "../store/hour-counts.ts";
import { addCounts, type HourCounts, labelledShare } from "../store/hour-counts.ts";
import { type Window, windowAt } from "./window-grid.ts";

const HOUR_MS = 3_600_000;

/** How much of a window's ground truth has arrived. */
export interface WindowCompleteness extends LabelCounts {
  readonly from: Date;
  readonly to: Date;
  /** Null when there are no records. */
  readonly share: number | null;
}

/** How much ground truth has arrived for each window of a time, side by side, and for all of them together. */
export async function labelCompleteness(
  hourCounts: HourCounts,
  model: string,
  { from, to, windowMs }: { readonly from: Date; readonly to: Date; readonly windowMs: number },
): Promise<{ readonly windows: WindowCompleteness[]; readonly all: WindowCompleteness }> {
  const windows = windowsOver({ from, to }, windowMs);
  const whole = { from: windows[0]?.from ?? from, to: windows.at(-1)?.to ?? to };
  const hours = await hourCounts.hours(model, whole);
  let at = 0;
  const counted = windows.map((window) => {
    const own: LabelCounts[] = [];
    for (let hour = hours[at]; hour && hour.hour < window.to; hour = hours[++at]) own.push(hour);
    return completeness(window, own);
  });
  return { windows: counted, all: completeness(whole, hours) };
}

function completeness({ from, to }: Window, counts: readonly LabelCounts[]): WindowCompleteness {
  const sum = addCounts(counts);
  return { from, to, ...sum, share: labelledShare(sum) };
}

/** The windows that a time touches; `windowMs` is a number of whole hours. */
function windowsOver({ from, to }: Window, windowMs: number): Window[] {
  const windows: Window[] = [];
  for (let window = windowAt(from, windowMs); window.from < to; window = windowAt(window.to, windowMs)) {
    windows.push(window);
  }
  return windows;
}

/** How many windows a time touches at most. */
export function windowCount({ from, to }: Window, windowMs: number): number {
  return Math.max(0, Math.ceil((to.getTime() - from.getTime()) / windowMs) + 1);
}

/** Whether windows of this length begin and end on full hours, which is how records are counted. */
export function isWholeHours(windowMs: number): boolean {
  return windowMs % HOUR_MS === 0;
}
