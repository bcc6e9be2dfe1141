import { durationMs } from "../schema/duration.ts";
import type { MonitorMetrics } from "../schema/metrics.ts";
import { addCounts, type HourCounts, labelledShare } from "../store/hour-counts.ts";
import type { RecordStore } from "../store/records.ts";
import type { ResultStore } from "../store/results.ts";

/** Truth comes late: what is missing of yesterday may be usual, what is missing of last month is lost. */
const WINDOWS = ["1d", "7d", "30d"] as const;

/** Shows how much ground truth has arrived: of each model's last checked window, and of the last day, week and month. */
export async function showLabels({
  records,
  hourCounts,
  results,
  metrics,
  now,
}: {
  readonly records: RecordStore;
  readonly hourCounts: HourCounts;
  readonly results: ResultStore;
  readonly metrics: MonitorMetrics;
  readonly now: () => Date;
}): Promise<void> {
  const to = now();
  for (const model of await records.modelNames()) {
    const [newest] = await results.find({ model, limit: 1 });
    if (newest) {
      const window = { from: new Date(newest.from), to: new Date(newest.to) };
      // In whole hours, which are counted once: the window itself would be read from end to end every time.
      const share = labelledShare(addCounts(await hourCounts.hours(model, window)));
      if (share !== null) metrics.set("leeway_labels_joined_ratio", { model }, share);
    }
    const longest = durationMs(WINDOWS[2]);
    const hours = await hourCounts.hours(model, { from: new Date(to.getTime() - longest), to });
    for (const window of WINDOWS) {
      const from = to.getTime() - durationMs(window);
      const share = labelledShare(addCounts(hours.filter(({ hour }) => hour.getTime() >= from)));
      if (share === null) metrics.forget("leeway_labels_complete_ratio", { model, window });
      else metrics.set("leeway_labels_complete_ratio", { model, window }, share);
    }
  }
}
