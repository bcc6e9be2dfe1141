import type { WindowResult } from "../schema/drift-result.ts";

export interface DriftStreak {
  readonly windows: number;
  /** Start of the first of them, in milliseconds since 1970; `null` when the newest window shows no drift. */
  readonly sinceMs: number | null;
}

/**
 * Windows in a row, up to the newest, that have a drifted feature. A window with too few records tells
 * nothing: it neither breaks the row nor counts in it.
 *
 * @param history - A monitor's windows, newest first.
 */
export function driftStreak(history: readonly Pick<WindowResult, "from" | "dataset">[]): DriftStreak {
  let streak: DriftStreak = { windows: 0, sinceMs: null };
  for (const { from, dataset } of history) {
    if (dataset.drifted > 0) streak = { windows: streak.windows + 1, sinceMs: Date.parse(from) };
    else if (dataset.verdict !== "too-few") break;
  }
  return streak;
}
