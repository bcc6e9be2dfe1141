import { buckets, series, shown, shownBuckets, shownProcess } from "./promql.ts";
import { verdictCode } from "./verdict-look.ts";

/** Long enough for two scrapes, whatever the zoom: Grafana works it out. */
const RATE = "$__rate_interval";
const RANGE = "$__range";

const timesThreshold = `${shown("leeway_drift_statistic")} / ${shown("leeway_drift_threshold")}`;

/** What the panels ask, one entry per question. */
export const queries = {
  // At a glance
  monitorsDrifting: `sum(${shown("leeway_drifted_features")} > bool 0)`,
  driftingSince: `min(${shown("leeway_drift_since_timestamp_seconds")} > 0) * 1000`,
  dataFaults: `sum(${shown("leeway_drift_verdict")} == bool ${verdictCode("quality")})`,
  recordsStored: `sum(rate(${shown("leeway_records_total", { outcome: "stored" })}[${RATE}]))`,
  labelsJoinedLeast: `min(${shown("leeway_labels_joined_ratio")})`,
  undelivered: `sum(${shown("leeway_undelivered_messages")}) or vector(0)`,
  undeliveredByTarget: `max by (kind, target) (${shown("leeway_undelivered_messages")})`,
  notificationsFailed: `sum(increase(${shown("leeway_notifications_total", { outcome: "failed" })}[${RANGE}])) or vector(0)`,
  alertsFiring: `sum(${shown("leeway_alerts_firing")})`,
  checkOverdueMost: `clamp_min(max(time() - ${shown("leeway_next_check_timestamp_seconds")}), 0)`,
  instancesUp: `min(${shownProcess("up")})`,

  // The fleet, one line per monitor
  fleetSince: `max by (model, monitor) (${shown("leeway_drift_since_timestamp_seconds")} > 0) * 1000`,
  fleetDriftedWindows: `max by (model, monitor) (${shown("leeway_drifted_windows")})`,
  faultyFeatures: `sum by (model, monitor) (${shown("leeway_drift_verdict")} == bool ${verdictCode("quality")})`,
  windowRecords: `max by (model, monitor) (${shown("leeway_window_records")})`,
  fleetWindowEnd: `max by (model, monitor) (${shown("leeway_window_end_timestamp_seconds")}) * 1000`,
  fleetNextCheck: `max by (model, monitor) (${shown("leeway_next_check_timestamp_seconds")}) * 1000`,

  // Drift
  verdicts: `max by (model, monitor, feature) (${shown("leeway_drift_verdict")})`,
  verdictsNotStable: `max by (model, monitor, feature) (${shown("leeway_drift_verdict")} > 0)`,
  driftedFeatures: `max by (model, monitor) (${shown("leeway_drifted_features")})`,
  pastThresholdNotStable: `max by (model, monitor, feature) (${timesThreshold}) and max by (model, monitor, feature) (${shown("leeway_drift_verdict")} > 0)`,
  pastThresholdMost: `topk(15, max by (model, monitor, feature, statistic) (${timesThreshold}))`,
  pastThreshold: `max by (model, version, monitor, feature, statistic) (${timesThreshold})`,
  statistic: `max by (model, version, monitor, feature, statistic) (${shown("leeway_drift_statistic")})`,
  windowsByVerdict: `sum by (verdict) (increase(${shown("leeway_windows_total")}[${RATE}]))`,

  // Data quality
  uncheckedFeatures: `sum by (model, monitor) (${shown("leeway_drift_verdict")} == bool ${verdictCode("error")})`,
  failuresByCheck: `sum by (model, check) (increase(${shown("leeway_quality_failures_total")}[${RANGE}]))`,
  typeMismatches: `sum by (model) (rate(${shown("leeway_type_mismatches_total")}[${RATE}]))`,

  // Ingest and labels
  replicas: `max by (deployment) (${shown("leeway_replicas")}) or vector(0)`,
  scoringRequests: `sum by (deployment, version, code) (rate(${shown("leeway_scoring_requests_total")}[${RATE}])) or vector(0)`,
  recordsByOutcome: `sum by (model, outcome) (rate(${shown("leeway_records_total")}[${RATE}]))`,
  rejectedShare: `sum by (model) (rate(${shown("leeway_records_total", { outcome: "rejected" })}[${RATE}])) / sum by (model) (rate(${shown("leeway_records_total")}[${RATE}]))`,
  labelsByOutcome: `sum by (model, outcome) (rate(${shown("leeway_labels_total")}[${RATE}]))`,
  labelsJoined: `max by (model) (${shown("leeway_labels_joined_ratio")})`,
  labelsComplete: `max by (model, window) (${shown("leeway_labels_complete_ratio")})`,
  retentionDeleted: `sum by (model, kind) (increase(${shown("leeway_retention_deleted_total")}[${RATE}])) or vector(0)`,
  storeBytes: `max by (instance) (${shown("leeway_store_bytes")})`,
  captureWaiting: `max by (instance) (${shown("leeway_capture_waiting_halves")})`,
  captureExpired: `sum by (model, kind) (increase(${shown("leeway_capture_expired_total")}[${RATE}])) or vector(0)`,
  windowAge: `time() - max by (model, monitor) (${shown("leeway_window_end_timestamp_seconds")})`,
  checkOverdue: `clamp_min(time() - max by (model, monitor) (${shown("leeway_next_check_timestamp_seconds")}), 0)`,
  ingestDuration: (quantile: number) => quantileOf(quantile, shownBuckets("leeway_ingest_duration_seconds")),
  checkDuration: (quantile: number) => quantileOf(quantile, shownBuckets("leeway_check_duration_seconds")),
  queue: `max by (instance) (${shown("leeway_ingest_queue_bytes")})`,
  queueLimit: `max by (instance) (${shown("leeway_ingest_queue_limit_bytes")})`,
  queueRecords: `max by (instance) (${shown("leeway_ingest_queue_records")})`,
  backlog: `max by (instance) (${shown("leeway_ingest_backlog_bytes")})`,
  backlogLimit: `max by (instance) (${shown("leeway_ingest_backlog_limit_bytes")})`,

  // Alerts and retraining
  alertsBySeverity: `sum by (severity) (${shown("leeway_alerts_firing")})`,
  notifications: `sum by (channel, outcome) (increase(${shown("leeway_notifications_total")}[${RANGE}]))`,
  deliveries: `sum by (subscription, outcome) (increase(${shown("leeway_deliveries_total")}[${RANGE}]))`,
  retrainRuns: `sum by (model, outcome) (increase(${shown("leeway_retrain_runs_total")}[${RANGE}]))`,
  retrainAsked: `sum by (model) (increase(${shown("leeway_retrain_runs_total", { outcome: "requested" })}[${RATE}])) > 0`,

  // The process
  up: shownProcess("up"),
  uptime: `time() - ${shownProcess("process_start_time_seconds")}`,
  cpu: `rate(${shownProcess("process_cpu_seconds_total")}[${RATE}])`,
  memory: shownProcess("process_resident_memory_bytes"),
  heap: shownProcess("nodejs_heap_size_used_bytes"),
  eventLoopLag: shownProcess("nodejs_eventloop_lag_p99_seconds"),
  openFiles: `${shownProcess("process_open_fds")} / ${shownProcess("process_max_fds")}`,
  scrapeDuration: shownProcess("scrape_duration_seconds"),
} as const;

function quantileOf(quantile: number, selector: string): string {
  return `histogram_quantile(${quantile}, sum by (le) (rate(${selector}[${RATE}])))`;
}

/** What the rules ask: no variables, fixed windows. Kept under these names by recording rules too. */
export const ruleQueries = {
  rejectedShare: `sum by (job, instance, model) (rate(${series("leeway_records_total", { outcome: "rejected" })}[15m])) / sum by (job, instance, model) (rate(${series("leeway_records_total")}[15m]))`,
  mismatchesPerRecord: `sum by (job, instance, model) (rate(${series("leeway_type_mismatches_total")}[15m])) / sum by (job, instance, model) (rate(${series("leeway_records_total", { outcome: "stored" })}[15m]))`,
  ingestDurationP99: `histogram_quantile(0.99, sum by (job, instance, le) (rate(${buckets("leeway_ingest_duration_seconds")}[5m])))`,
} as const;
