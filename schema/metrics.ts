import { severity } from "./alert.ts";
import { verdict } from "./drift-result.ts";
import { retrainStatus } from "./retrain.ts";

/**
 * The metrics the service shows, in one table: the registry in `app/` is built from it and the
 * dashboards in `dashboards/` are written against it, so a renamed metric cannot leave a panel empty.
 */
export const metricTable = {
  leeway_records_total: {
    kind: "counter",
    labels: ["model", "outcome"],
    values: { outcome: ["stored", "duplicate", "rejected", "sampled_out"] },
    help: "Scoring records received, by what became of them (stored, duplicate, rejected, sampled_out).",
  },
  leeway_labels_total: {
    kind: "counter",
    labels: ["model", "outcome"],
    values: { outcome: ["stored", "duplicate", "rejected"] },
    help: "Ground-truth labels received, by what became of them (stored, duplicate, rejected).",
  },
  leeway_type_mismatches_total: {
    kind: "counter",
    labels: ["model"],
    help: "Values that did not fit their column's type and were kept in the overflow column.",
  },
  leeway_ingest_duration_seconds: {
    kind: "histogram",
    labels: [],
    help: "Time from the first byte of an ingest request to its acknowledgement.",
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  leeway_ingest_queue_records: { kind: "gauge", labels: [], help: "Records received and not yet durable." },
  leeway_ingest_queue_bytes: {
    kind: "gauge",
    labels: [],
    help: "Bytes of requests that wait to be taken in.",
  },
  leeway_ingest_queue_limit_bytes: {
    kind: "gauge",
    labels: [],
    help: "Bytes of requests that may wait; beyond it the answer is 429.",
  },
  leeway_ingest_backlog_bytes: {
    kind: "gauge",
    labels: [],
    help: "Bytes that are durable in the journal and not yet in the tables.",
  },
  leeway_ingest_backlog_limit_bytes: {
    kind: "gauge",
    labels: [],
    help: "Bytes that may be durable and not yet in the tables; beyond it requests wait, then are answered with 429.",
  },
  leeway_labels_joined_ratio: {
    kind: "gauge",
    labels: ["model"],
    help: "Share of the last closed window's records whose ground truth has arrived.",
  },
  leeway_labels_complete_ratio: {
    kind: "gauge",
    labels: ["model", "window"],
    values: { window: ["1d", "7d", "30d"] },
    help: "Share of the records of the last day, 7 and 30 days of event time whose ground truth has arrived.",
  },
  leeway_retention_deleted_total: {
    kind: "counter",
    labels: ["model", "kind"],
    values: { kind: ["records", "labels"] },
    help: "Records and labels that retention has deleted; their profiles stay.",
  },
  leeway_store_bytes: {
    kind: "gauge",
    labels: [],
    help: "Bytes of the database that hold something; what is free in its file is used again.",
  },
  leeway_capture_waiting_halves: {
    kind: "gauge",
    labels: [],
    help: "Requests and answers of captured calls that wait for their other half.",
  },
  leeway_capture_expired_total: {
    kind: "counter",
    labels: ["model", "kind"],
    values: { kind: ["request", "response"] },
    help: "Halves of captured calls whose other half did not come in time, by which half it was.",
  },
  leeway_window_records: {
    kind: "gauge",
    labels: ["model", "monitor"],
    help: "Records in the last closed window.",
  },
  leeway_window_end_timestamp_seconds: {
    kind: "gauge",
    labels: ["model", "monitor"],
    help: "End of the last closed window, in seconds since 1970.",
  },
  leeway_next_check_timestamp_seconds: {
    kind: "gauge",
    labels: ["model", "monitor"],
    help: "When the next window is due to be checked (its end and the grace time), in seconds since 1970.",
  },
  leeway_windows_total: {
    kind: "counter",
    labels: ["model", "monitor", "verdict"],
    values: { verdict: verdict.options },
    help: "Windows checked, by verdict (stable, drifted, too-few, quality, error).",
  },
  leeway_check_duration_seconds: {
    kind: "histogram",
    labels: [],
    help: "Time to check one window of one monitor.",
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
  },
  leeway_drift_statistic: {
    kind: "gauge",
    labels: ["model", "version", "monitor", "feature", "statistic"],
    help: "Value of a drift statistic in the last closed window.",
  },
  leeway_drift_threshold: {
    kind: "gauge",
    labels: ["model", "version", "monitor", "feature", "statistic"],
    help: "Value the statistic must pass, at this window's size, to keep to the budget of false alarms.",
  },
  leeway_drift_verdict: {
    kind: "gauge",
    labels: ["model", "monitor", "feature"],
    help: "Verdict on a feature in the last closed window: 0 stable, 1 drifted, 2 too few, 3 quality, 4 error.",
  },
  leeway_drifted_features: {
    kind: "gauge",
    labels: ["model", "monitor"],
    help: "Features called drifted in the last closed window.",
  },
  leeway_drifted_windows: {
    kind: "gauge",
    labels: ["model", "monitor"],
    help: "Windows in a row, up to the last closed one, with a drifted feature; windows with too few records do not break the row.",
  },
  leeway_drift_since_timestamp_seconds: {
    kind: "gauge",
    labels: ["model", "monitor"],
    help: "Start of the first of those windows, in seconds since 1970; 0 when the last window shows no drift.",
  },
  leeway_quality_failures_total: {
    kind: "counter",
    labels: ["model", "check"],
    help: "Data-quality checks that failed, by check.",
  },
  leeway_alerts_firing: {
    kind: "gauge",
    labels: ["severity"],
    values: { severity: severity.options },
    help: "Alerts that are firing.",
  },
  leeway_notifications_total: {
    kind: "counter",
    labels: ["channel", "outcome"],
    values: { outcome: ["delivered", "retried", "failed"] },
    help: "Alert notifications, by outcome (delivered, retried, failed).",
  },
  leeway_undelivered_messages: {
    kind: "gauge",
    labels: ["kind", "target"],
    help: "Messages that failed at least once and wait to be tried again, by kind of target (channel, retrain-policy) and its name.",
  },
  leeway_replicas: {
    kind: "gauge",
    labels: ["deployment"],
    help: "Replicas of a deployment that answer.",
  },
  leeway_scoring_requests_total: {
    kind: "counter",
    labels: ["deployment", "version", "protocol", "code"],
    help: "Scoring requests of deployments, by version, protocol (v2, v1, mlflow) and status code; the address of a deployment has them too, with their durations.",
  },
  leeway_retrain_runs_total: {
    kind: "counter",
    labels: ["model", "outcome"],
    values: { outcome: retrainStatus.options },
    help: "Retraining runs, by status reached (requested, started, completed, failed).",
  },
  leeway_deliveries_total: {
    kind: "counter",
    labels: ["subscription", "outcome"],
    values: { outcome: ["delivered", "retried", "failed"] },
    help: "Webhook deliveries other than alert notifications, by outcome.",
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export interface MetricDefinition {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  /** The words a label can say, where they are few and known. */
  readonly values?: Readonly<Record<string, readonly string[]>>;
  readonly help: string;
  readonly buckets?: readonly number[];
}

type Table = typeof metricTable;
export type MetricName = keyof Table;
type Named<K extends MetricDefinition["kind"]> = {
  [N in MetricName]: Table[N]["kind"] extends K ? N : never;
}[MetricName];
export type MetricLabel<N extends MetricName> = Table[N]["labels"][number];
/** What a label can say: the words of the table where it lists them, any text otherwise. */
export type MetricLabelValue<N extends MetricName, L extends string> = Table[N] extends {
  readonly values: infer V;
}
  ? L extends keyof V
    ? V[L] extends readonly (infer W extends string)[]
      ? W
      : string
    : string
  : string;
export type MetricLabels<N extends MetricName> = {
  readonly [L in MetricLabel<N>]: MetricLabelValue<N, L>;
};

/** Where the parts of the service report what they did. `app/metrics.ts` is the one implementation. */
export interface Metrics {
  count<N extends Named<"counter">>(name: N, labels: MetricLabels<N>, by?: number): void;
  set<N extends Named<"gauge">>(name: N, labels: MetricLabels<N>, value: number): void;
  observe<N extends Named<"histogram">>(name: N, labels: MetricLabels<N>, value: number): void;
}

/** For those who also take series away: the last word on a feature or a monitor that is gone must not stand for ever. */
export interface MonitorMetrics extends Metrics {
  /** Removes every series of a gauge that has these labels. */
  forget<N extends Named<"gauge">>(name: N, labels: Partial<MetricLabels<N>>): void;
}
