import type { Verdict, WindowResult } from "../schema/drift-result.ts";
import type { Metrics } from "../schema/metrics.ts";

const VERDICT_VALUE: Readonly<Record<Verdict, number>> = {
  stable: 0,
  drifted: 1,
  "too-few": 2,
  quality: 3,
  error: 4,
};

/** Sets the gauges that tell of a monitor's last window. */
export function showResult(metrics: Metrics, result: WindowResult): void {
  const { model, monitor, version } = result;
  metrics.count("leeway_windows_total", { model, monitor, verdict: result.dataset.verdict });
  metrics.set("leeway_window_records", { model, monitor }, result.rows);
  metrics.set("leeway_window_end_timestamp_seconds", { model, monitor }, Date.parse(result.to) / 1_000);
  metrics.set("leeway_drifted_features", { model, monitor }, result.dataset.drifted);
  if (result.labelled !== null) metrics.set("leeway_labels_joined_ratio", { model }, result.labelled);
  for (const column of result.columns) {
    const feature = column.name;
    metrics.set("leeway_drift_verdict", { model, monitor, feature }, VERDICT_VALUE[column.verdict]);
    for (const [statistic, value] of Object.entries(column.statistics)) {
      if (!value) continue;
      metrics.set("leeway_drift_statistic", { model, version, monitor, feature, statistic }, value.value);
      if (value.threshold !== undefined) {
        metrics.set(
          "leeway_drift_threshold",
          { model, version, monitor, feature, statistic },
          value.threshold,
        );
      }
    }
    for (const { check, verdict } of column.quality) {
      if (verdict === "quality") metrics.count("leeway_quality_failures_total", { model, check });
    }
  }
}
