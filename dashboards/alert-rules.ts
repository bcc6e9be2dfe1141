import { series } from "./promql.ts";
import { ruleQueries } from "./queries.ts";
import { verdictCode } from "./verdict-look.ts";

/** The scrape job's name in `prometheus.yml`; the one thing about the scrape that a rule must know. */
export const JOB = "leeway";

/** A rule in two halves, so that a test can see that what it measures exists also while it is quiet. */
export interface AlertRule {
  readonly alert: string;
  /** What is measured, as PromQL. */
  readonly measures: string;
  /** When that is bad: a comparison to put behind it, or the whole expression where it is not so simple. */
  readonly when: string | ((measured: string) => string);
  readonly for: string;
  readonly severity: "warning" | "critical";
  readonly summary: string;
  readonly description: string;
}

export function expressionOf({ measures, when }: AlertRule): string {
  return typeof when === "string" ? `${measures} ${when}` : when(measures);
}

const MONITOR = "{{ $labels.model }} / {{ $labels.monitor }}";

/** As many must have come a week ago: of fewer, none at all may be chance. */
const ENOUGH_TO_MISS = 20;

/** Whether records or labels that come at this hour of the week have stopped coming. */
function stoppedComing(measured: string): string {
  return `(${measured.replace("]", "] offset 1w")} > ${ENOUGH_TO_MISS}) unless (${measured} > 0)`;
}

export const alertRules: readonly AlertRule[] = [
  {
    alert: "LeewayDown",
    measures: `up{job="${JOB}"}`,
    when: (up) => `${up} == 0 or absent(${up})`,
    for: "5m",
    severity: "critical",
    summary: "Leeway cannot be scraped",
    description:
      "Prometheus has not reached Leeway{{ if $labels.instance }} at {{ $labels.instance }}{{ end }} for five minutes: nothing is collected, checked or told.",
  },
  {
    alert: "LeewayDriftPersists",
    measures: `max by (job, instance, model, monitor) (${series("leeway_drifted_windows")})`,
    when: ">= 2",
    for: "5m",
    severity: "warning",
    summary: `Drift persists in ${MONITOR}`,
    description:
      "{{ $value }} windows in a row have at least one drifted feature. The dashboard's Drift row tells which features and since when.",
  },
  {
    alert: "LeewayDataQualityFails",
    measures: `sum by (job, instance, model, monitor) (${series("leeway_drift_verdict")} == bool ${verdictCode("quality")})`,
    when: "> 0",
    for: "5m",
    severity: "warning",
    summary: `Data faults in ${MONITOR}`,
    description: "Features of the last closed window that failed a data-quality check: {{ $value }}.",
  },
  {
    alert: "LeewayFeaturesNotChecked",
    measures: `sum by (job, instance, model, monitor) (${series("leeway_drift_verdict")} == bool ${verdictCode("error")})`,
    when: "> 0",
    for: "15m",
    severity: "warning",
    summary: `Features of ${MONITOR} cannot be checked`,
    description: "Features whose check itself failed: {{ $value }}. Drift in them would go unseen.",
  },
  {
    alert: "LeewayWindowEmpty",
    measures: series("leeway_window_records"),
    // A model that nobody asks on Sundays is not missed on Sundays.
    when: (records) => `${records} == 0 unless (${records} offset 1w == 0)`,
    for: "5m",
    severity: "warning",
    summary: `A whole window of ${MONITOR} without a record`,
    description: "The last closed window holds no record: the scoring service or its sidecar does not send.",
  },
  {
    alert: "LeewayRecordsStopped",
    measures: `sum by (job, model) (increase(${series("leeway_records_total", { outcome: "stored" })}[1h]))`,
    when: stoppedComing,
    for: "15m",
    severity: "warning",
    summary: "No records of {{ $labels.model }} any more",
    description:
      "No record was stored within the hour, yet at this hour a week ago there were {{ $value | humanize }}.",
  },
  {
    alert: "LeewayLabelsStopped",
    measures: `sum by (job, model) (increase(${series("leeway_labels_total", { outcome: "stored" })}[1d]))`,
    when: stoppedComing,
    for: "1h",
    severity: "warning",
    summary: "No labels for {{ $labels.model }} any more",
    description:
      "No label was stored within the day, yet on this day a week ago there were {{ $value | humanize }}.",
  },
  {
    alert: "LeewayChecksOverdue",
    measures: `time() - ${series("leeway_next_check_timestamp_seconds")}`,
    when: "> 3600",
    for: "15m",
    severity: "warning",
    summary: `Windows of ${MONITOR} are not checked`,
    description: "The next window should have been checked {{ $value | humanizeDuration }} ago.",
  },
  {
    alert: "LeewayQueueNearlyFull",
    measures: `${series("leeway_ingest_queue_bytes")} / ${series("leeway_ingest_queue_limit_bytes")}`,
    when: "> 0.8",
    for: "5m",
    severity: "critical",
    summary: "The ingest queue is nearly full",
    description:
      "The queue of {{ $labels.instance }} is {{ $value | humanizePercentage }} full: soon senders are answered with 429.",
  },
  {
    alert: "LeewayBacklogNearlyFull",
    measures: `${series("leeway_ingest_backlog_bytes")} / ${series("leeway_ingest_backlog_limit_bytes")}`,
    when: "> 0.8",
    for: "15m",
    severity: "warning",
    summary: "The journal is not moved into the tables fast enough",
    description:
      "The backlog of {{ $labels.instance }} is {{ $value | humanizePercentage }} of its limit: senders wait, and soon are answered with 429.",
  },
  {
    alert: "LeewayIngestSlow",
    measures: ruleQueries.ingestDurationP99,
    when: "> 1",
    for: "15m",
    severity: "warning",
    summary: "Ingest is slow",
    description:
      "One request in a hundred waits longer than {{ $value | humanizeDuration }} for its acknowledgement.",
  },
  {
    alert: "LeewayRecordsRejected",
    measures: ruleQueries.rejectedShare,
    when: "> 0.05",
    for: "15m",
    severity: "warning",
    summary: "Many records of {{ $labels.model }} are rejected",
    description:
      "{{ $value | humanizePercentage }} of the records received are rejected; the answers to the sender say why.",
  },
  {
    alert: "LeewayTypeMismatches",
    measures: ruleQueries.mismatchesPerRecord,
    when: "> 0.05",
    for: "15m",
    severity: "warning",
    summary: "Values of {{ $labels.model }} have the wrong type",
    description:
      '{{ $value | printf "%.2f" }} values per record do not fit their column\'s type: a sender has changed what it sends.',
  },
  {
    alert: "LeewayMessagesNotDelivered",
    measures: `max by (job, instance, kind, target) (${series("leeway_undelivered_messages")})`,
    when: "> 0",
    for: "10m",
    severity: "critical",
    summary: "{{ $labels.target }} is not told ({{ $labels.kind }})",
    description:
      "Messages that failed and wait to be tried again: {{ $value }}. Leeway goes on trying for three days.",
  },
  {
    alert: "LeewayNotificationsFail",
    measures: `sum by (job, instance, channel) (increase(${series("leeway_notifications_total", { outcome: "failed" })}[1h]))`,
    when: "> 0",
    for: "1m",
    severity: "critical",
    summary: "Alert notifications by {{ $labels.channel }} fail",
    description: "Leeway gave up notifications by this channel within the hour: somebody was not told.",
  },
  {
    alert: "LeewayDeliveriesFail",
    measures: `sum by (job, instance, subscription) (increase(${series("leeway_deliveries_total", { outcome: "failed" })}[1h]))`,
    when: "> 0",
    for: "1m",
    severity: "warning",
    summary: "Webhooks to {{ $labels.subscription }} fail",
    description: "Leeway gave up deliveries to this receiver within the hour, such as a request to retrain.",
  },
  {
    alert: "LeewayRetrainingFails",
    measures: `sum by (job, instance, model) (increase(${series("leeway_retrain_runs_total", { outcome: "failed" })}[1d]))`,
    when: "> 0",
    for: "1m",
    severity: "warning",
    summary: "Retraining of {{ $labels.model }} failed",
    description: "A retraining run failed within the day; the model in production stays as it is.",
  },
];
