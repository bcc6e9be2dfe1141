import type { Verdict, WindowResult } from "../schema/drift-result.ts";
import type { Metrics, MonitorMetrics } from "../schema/metrics.ts";
import type { Database } from "../store/database.ts";
import type { MonitorStore, StoredMonitor } from "../store/monitors.ts";
import type { ResultStore } from "../store/results.ts";
import { type DriftStreak, driftStreak } from "./drift-streak.ts";

const VERDICT_VALUE: Readonly<Record<Verdict, number>> = {
  stable: 0,
  drifted: 1,
  "too-few": 2,
  quality: 3,
  error: 4,
};

/** Longer rows of drifted windows are shown as this long. */
const LONGEST_STREAK = 100;
const END_OF_TIME = "9999-01-01T00:00:00Z";

interface Shown {
  readonly database: Database;
  readonly monitors: MonitorStore;
  readonly results: ResultStore;
  readonly metrics: MonitorMetrics;
}

/** Counts what was said of a window. */
export function countResult(metrics: Metrics, { model, monitor, dataset, columns }: WindowResult): void {
  metrics.count("leeway_windows_total", { model, monitor, verdict: dataset.verdict });
  for (const { check, verdict } of columns.flatMap(({ quality }) => quality)) {
    if (verdict === "quality") metrics.count("leeway_quality_failures_total", { model, check });
  }
}

/** After a start: shows every monitor's newest window, so that nothing looks well, or absent, only because of the restart. */
export async function showNewestOfAll(parts: Shown): Promise<void> {
  for (const monitor of await parts.monitors.list()) await showNewest(parts, monitor);
}

/** Shows a monitor's newest window, whichever was checked last: running it over the past does not turn the gauges back. */
export async function showNewest(
  { database, results, metrics }: Pick<Shown, "database" | "results" | "metrics">,
  { model, name }: Pick<StoredMonitor, "model" | "name">,
): Promise<void> {
  const [newest] = await results.find({ model, monitor: name, limit: 1 });
  if (newest === undefined) return;
  const history = await results.recent(database, {
    model,
    monitor: name,
    to: END_OF_TIME,
    limit: LONGEST_STREAK,
  });
  setGauges(metrics, newest, driftStreak(history));
}

function setGauges(metrics: MonitorMetrics, result: WindowResult, streak: DriftStreak): void {
  const { model, monitor, version } = result;
  metrics.set("leeway_window_records", { model, monitor }, result.rows);
  metrics.set("leeway_window_end_timestamp_seconds", { model, monitor }, Date.parse(result.to) / 1_000);
  metrics.set("leeway_drifted_features", { model, monitor }, result.dataset.drifted);
  metrics.set("leeway_drifted_windows", { model, monitor }, streak.windows);
  metrics.set("leeway_drift_since_timestamp_seconds", { model, monitor }, (streak.sinceMs ?? 0) / 1_000);
  if (result.labelled !== null) metrics.set("leeway_labels_joined_ratio", { model }, result.labelled);
  // A feature, statistic or version that this window does not speak of keeps nothing of an earlier one.
  metrics.forget("leeway_drift_verdict", { model, monitor });
  metrics.forget("leeway_drift_statistic", { model, monitor });
  metrics.forget("leeway_drift_threshold", { model, monitor });
  for (const column of result.columns) {
    const feature = column.name;
    metrics.set("leeway_drift_verdict", { model, monitor, feature }, VERDICT_VALUE[column.verdict]);
    for (const [statistic, value] of Object.entries(column.statistics)) {
      if (!value) continue;
      const labels = { model, version, monitor, feature, statistic };
      metrics.set("leeway_drift_statistic", labels, value.value);
      if (value.threshold !== undefined) metrics.set("leeway_drift_threshold", labels, value.threshold);
    }
  }
}

/** Takes away what was shown of a monitor that is deleted or disabled: its last verdict would stand, and alert, for ever. */
export function hideMonitor(
  metrics: MonitorMetrics,
  { model, name }: Pick<StoredMonitor, "model" | "name">,
): void {
  for (const gauge of [
    "leeway_window_records",
    "leeway_window_end_timestamp_seconds",
    "leeway_next_check_timestamp_seconds",
    "leeway_drifted_features",
    "leeway_drifted_windows",
    "leeway_drift_since_timestamp_seconds",
    "leeway_drift_verdict",
    "leeway_drift_statistic",
    "leeway_drift_threshold",
  ] as const) {
    metrics.forget(gauge, { model, monitor: name });
  }
}
