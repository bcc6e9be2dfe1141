import type { Budget } from "../schema/drift-result.ts";
import { durationMs } from "../schema/duration.ts";

/**
 * The probability that one window without drift is called drifted, all features together.
 *
 * @param falseAlarms - `0.01`, or a count per time such as `1/30d`.
 * @param windowMs - Length of a window; needed for a count per time.
 * @throws RangeError when a count per time is given without a window's length, or the text has neither form.
 * @example
 * alphaPerWindow("1/30d", 86_400_000); // 0.0333…: one false alarm in thirty daily windows
 */
export function alphaPerWindow(falseAlarms: string, windowMs: number | undefined): number {
  const perTime = /^(\d+(?:\.\d+)?)\/(.+)$/.exec(falseAlarms);
  if (!perTime) {
    const alpha = Number(falseAlarms);
    if (!(alpha > 0 && alpha < 1)) {
      throw new RangeError(
        `false alarms "${falseAlarms}": expected a probability between 0 and 1, or a count per time such as 1/30d`,
      );
    }
    return alpha;
  }
  if (windowMs === undefined) {
    throw new RangeError(
      `false alarms "${falseAlarms}" is a count per time: it needs windows of a fixed length (--window 1d), or give a probability such as 0.01`,
    );
  }
  return Math.min(0.5, (Number(perTime[1]) * windowMs) / durationMs(perTime[2] ?? ""));
}

/**
 * The budget as it stands in a result.
 *
 * @example
 * budgetOf("0.01", undefined).per_window; // 0.01
 */
export function budgetOf(falseAlarms: string, windowMs: number | undefined): Budget {
  return {
    false_alarms: falseAlarms,
    per_window: alphaPerWindow(falseAlarms, windowMs),
    correction: "holm",
    selection: "benjamini-hochberg",
  };
}
