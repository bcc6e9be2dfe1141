/** Series in, alerts out: at `at` the alert fires with these words, or not; at `notYet` it has not waited long enough. */
export interface AlertCase {
  readonly alert: string;
  readonly what: string;
  /** Between the values of a series; a minute when absent. */
  readonly every?: string;
  /** Series and their values, in promtool's notation: `0+5x9` starts at 0 and grows by 5, 9 times; `_` is a gap. */
  readonly series: Readonly<Record<string, string>>;
  readonly notYet?: string;
  readonly at: string;
  readonly fires:
    | "never"
    | {
        readonly labels: Readonly<Record<string, string>>;
        readonly summary: string;
        readonly description: string;
      };
}

const ON = 'job="leeway",instance="a:8420"';
const TARGET = { job: "leeway", instance: "a:8420" };
const MONITOR = `${ON},model="churn",monitor="daily"`;
const MONITOR_LABELS = { ...TARGET, model: "churn", monitor: "daily" };

export const alertCases: readonly AlertCase[] = [
  {
    alert: "LeewayDown",
    what: "the scrape fails for five minutes",
    series: { [`up{${ON}}`]: "1x4 0x20" },
    notYet: "9m",
    at: "11m",
    fires: {
      labels: TARGET,
      summary: "Leeway cannot be scraped",
      description:
        "Prometheus has not reached Leeway at a:8420 for five minutes: nothing is collected, checked or told.",
    },
  },
  {
    alert: "LeewayDown",
    what: "nobody scrapes it at all",
    series: { 'up{job="other",instance="b:80"}': "1x20" },
    at: "6m",
    fires: {
      labels: { job: "leeway" },
      summary: "Leeway cannot be scraped",
      description:
        "Prometheus has not reached Leeway for five minutes: nothing is collected, checked or told.",
    },
  },
  {
    alert: "LeewayDown",
    what: "a restart of two minutes is no alarm",
    series: { [`up{${ON}}`]: "1x4 0 0 1x20" },
    at: "12m",
    fires: "never",
  },
  {
    alert: "LeewayDriftPersists",
    what: "the second drifted window in a row",
    series: { [`leeway_drifted_windows{${MONITOR}}`]: "0x4 1x9 2x20" },
    notYet: "14m",
    at: "20m",
    fires: {
      labels: MONITOR_LABELS,
      summary: "Drift persists in churn / daily",
      description:
        "2 windows in a row have at least one drifted feature. The dashboard's Drift row tells which features and since when.",
    },
  },
  {
    alert: "LeewayDriftPersists",
    what: "one drifted window, however long it stands",
    series: { [`leeway_drifted_windows{${MONITOR}}`]: "0x4 1x60 0x20" },
    at: "60m",
    fires: "never",
  },
  {
    alert: "LeewayDataQualityFails",
    what: "two features with a data fault, one drifted",
    series: {
      [`leeway_drift_verdict{${MONITOR},feature="age"}`]: "3x20",
      [`leeway_drift_verdict{${MONITOR},feature="plan"}`]: "3x20",
      [`leeway_drift_verdict{${MONITOR},feature="fee"}`]: "1x20",
    },
    notYet: "4m",
    at: "6m",
    fires: {
      labels: MONITOR_LABELS,
      summary: "Data faults in churn / daily",
      description: "Features of the last closed window that failed a data-quality check: 2.",
    },
  },
  {
    alert: "LeewayDataQualityFails",
    what: "drifted, too few and unchecked are other matters",
    series: {
      [`leeway_drift_verdict{${MONITOR},feature="age"}`]: "1x20",
      [`leeway_drift_verdict{${MONITOR},feature="plan"}`]: "2x20",
      [`leeway_drift_verdict{${MONITOR},feature="fee"}`]: "4x20",
    },
    at: "10m",
    fires: "never",
  },
  {
    alert: "LeewayFeaturesNotChecked",
    what: "a feature whose check fails",
    series: {
      [`leeway_drift_verdict{${MONITOR},feature="age"}`]: "4x30",
      [`leeway_drift_verdict{${MONITOR},feature="fee"}`]: "0x30",
    },
    notYet: "14m",
    at: "16m",
    fires: {
      labels: MONITOR_LABELS,
      summary: "Features of churn / daily cannot be checked",
      description: "Features whose check itself failed: 1. Drift in them would go unseen.",
    },
  },
  {
    alert: "LeewayFeaturesNotChecked",
    what: "all features were checked",
    series: { [`leeway_drift_verdict{${MONITOR},feature="age"}`]: "3x30" },
    at: "20m",
    fires: "never",
  },
  {
    alert: "LeewayWindowEmpty",
    what: "a window without a record in the first week",
    series: { [`leeway_window_records{${MONITOR}}`]: "120x9 0x20" },
    notYet: "14m",
    at: "16m",
    fires: {
      labels: MONITOR_LABELS,
      summary: "A whole window of churn / daily without a record",
      description:
        "The last closed window holds no record: the scoring service or its sidecar does not send.",
    },
  },
  {
    alert: "LeewayWindowEmpty",
    what: "as empty as a week ago",
    every: "1h",
    series: { [`leeway_window_records{${MONITOR}}`]: "0 0 0 120x163 0 0 0 0" },
    at: "168h",
    fires: "never",
  },
  {
    alert: "LeewayRecordsStopped",
    what: "fifty an hour a week ago, none now",
    every: "5m",
    series: { [`leeway_records_total{${ON},model="churn",outcome="stored"}`]: "0+5x2000 10000x200" },
    notYet: "167h",
    at: "169h",
    fires: {
      labels: { job: "leeway", model: "churn" },
      summary: "No records of churn any more",
      description: "No record was stored within the hour, yet at this hour a week ago there were 60.",
    },
  },
  {
    alert: "LeewayRecordsStopped",
    what: "also where a restart has taken the series away",
    every: "5m",
    series: { [`leeway_records_total{${ON},model="churn",outcome="stored"}`]: "0+5x2000 stale" },
    at: "169h",
    fires: {
      labels: { job: "leeway", model: "churn" },
      summary: "No records of churn any more",
      description: "No record was stored within the hour, yet at this hour a week ago there were 60.",
    },
  },
  {
    alert: "LeewayRecordsStopped",
    what: "a handful a week ago may be none now",
    every: "5m",
    series: { [`leeway_records_total{${ON},model="churn",outcome="stored"}`]: "0+1x2000 2000x200" },
    at: "169h",
    fires: "never",
  },
  {
    alert: "LeewayLabelsStopped",
    what: "labels every day of last week, none today",
    every: "1h",
    series: { [`leeway_labels_total{${ON},model="churn",outcome="stored"}`]: "0+10x190 1900x60" },
    notYet: "200h",
    at: "216h",
    fires: {
      labels: { job: "leeway", model: "churn" },
      summary: "No labels for churn any more",
      description: "No label was stored within the day, yet on this day a week ago there were 240.",
    },
  },
  {
    alert: "LeewayLabelsStopped",
    what: "they still come, if fewer",
    every: "1h",
    series: { [`leeway_labels_total{${ON},model="churn",outcome="stored"}`]: "0+10x190 1900+1x60" },
    at: "216h",
    fires: "never",
  },
  {
    alert: "LeewayChecksOverdue",
    what: "the next check was due at noon and it is past one",
    series: { [`leeway_next_check_timestamp_seconds{${MONITOR}}`]: "600x120" },
    notYet: "80m",
    at: "90m",
    fires: {
      labels: MONITOR_LABELS,
      summary: "Windows of churn / daily are not checked",
      description: "The next window should have been checked 1h 20m 0s ago.",
    },
  },
  {
    alert: "LeewayChecksOverdue",
    what: "the next check is always ahead",
    series: { [`leeway_next_check_timestamp_seconds{${MONITOR}}`]: "3600+60x120" },
    at: "110m",
    fires: "never",
  },
  {
    alert: "LeewayQueueNearlyFull",
    what: "nine tenths of the queue for five minutes",
    series: {
      [`leeway_ingest_queue_bytes{${ON}}`]: "100x3 9000x20",
      [`leeway_ingest_queue_limit_bytes{${ON}}`]: "10000x30",
    },
    notYet: "8m",
    at: "10m",
    fires: {
      labels: TARGET,
      summary: "The ingest queue is nearly full",
      description: "The queue of a:8420 is 90% full: soon senders are answered with 429.",
    },
  },
  {
    alert: "LeewayQueueNearlyFull",
    what: "a burst that is written down at once",
    series: {
      [`leeway_ingest_queue_bytes{${ON}}`]: "100x3 9900 0x20",
      [`leeway_ingest_queue_limit_bytes{${ON}}`]: "10000x30",
    },
    at: "10m",
    fires: "never",
  },
  {
    alert: "LeewayBacklogNearlyFull",
    what: "the tables do not keep up for a quarter of an hour",
    series: {
      [`leeway_ingest_backlog_bytes{${ON}}`]: "0x3 85x30",
      [`leeway_ingest_backlog_limit_bytes{${ON}}`]: "100x40",
    },
    notYet: "17m",
    at: "20m",
    fires: {
      labels: TARGET,
      summary: "The journal is not moved into the tables fast enough",
      description: "The backlog of a:8420 is 85% of its limit: senders wait, and soon are answered with 429.",
    },
  },
  {
    alert: "LeewayBacklogNearlyFull",
    what: "a bulk import of ten minutes",
    series: {
      [`leeway_ingest_backlog_bytes{${ON}}`]: "0x3 99x10 0x30",
      [`leeway_ingest_backlog_limit_bytes{${ON}}`]: "100x50",
    },
    at: "18m",
    fires: "never",
  },
  {
    alert: "LeewayIngestSlow",
    what: "two requests in a hundred take between one and two and a half seconds",
    series: {
      [`leeway_ingest_duration_seconds_bucket{${ON},le="1"}`]: "0+98x40",
      [`leeway_ingest_duration_seconds_bucket{${ON},le="2.5"}`]: "0+100x40",
      [`leeway_ingest_duration_seconds_bucket{${ON},le="+Inf"}`]: "0+100x40",
    },
    notYet: "14m",
    at: "30m",
    fires: {
      labels: TARGET,
      summary: "Ingest is slow",
      description: "One request in a hundred waits longer than 1.75s for its acknowledgement.",
    },
  },
  {
    alert: "LeewayIngestSlow",
    what: "all within a second",
    series: {
      [`leeway_ingest_duration_seconds_bucket{${ON},le="1"}`]: "0+100x40",
      [`leeway_ingest_duration_seconds_bucket{${ON},le="2.5"}`]: "0+100x40",
      [`leeway_ingest_duration_seconds_bucket{${ON},le="+Inf"}`]: "0+100x40",
    },
    at: "30m",
    fires: "never",
  },
  {
    alert: "LeewayRecordsRejected",
    what: "one in ten is rejected",
    series: {
      [`leeway_records_total{${ON},model="churn",outcome="stored"}`]: "0+90x60",
      [`leeway_records_total{${ON},model="churn",outcome="rejected"}`]: "0+10x60",
    },
    notYet: "14m",
    at: "30m",
    fires: {
      labels: { ...TARGET, model: "churn" },
      summary: "Many records of churn are rejected",
      description: "10% of the records received are rejected; the answers to the sender say why.",
    },
  },
  {
    alert: "LeewayRecordsRejected",
    what: "one in a hundred, and many duplicates",
    series: {
      [`leeway_records_total{${ON},model="churn",outcome="stored"}`]: "0+90x60",
      [`leeway_records_total{${ON},model="churn",outcome="duplicate"}`]: "0+50x60",
      [`leeway_records_total{${ON},model="churn",outcome="rejected"}`]: "0+1x60",
    },
    at: "30m",
    fires: "never",
  },
  {
    alert: "LeewayTypeMismatches",
    what: "a value of the wrong type in every second record",
    series: {
      [`leeway_records_total{${ON},model="churn",outcome="stored"}`]: "0+100x60",
      [`leeway_type_mismatches_total{${ON},model="churn"}`]: "0+50x60",
    },
    notYet: "14m",
    at: "30m",
    fires: {
      labels: { ...TARGET, model: "churn" },
      summary: "Values of churn have the wrong type",
      description:
        "0.50 values per record do not fit their column's type: a sender has changed what it sends.",
    },
  },
  {
    alert: "LeewayTypeMismatches",
    what: "one in a hundred records",
    series: {
      [`leeway_records_total{${ON},model="churn",outcome="stored"}`]: "0+100x60",
      [`leeway_type_mismatches_total{${ON},model="churn"}`]: "0+1x60",
    },
    at: "30m",
    fires: "never",
  },
  {
    alert: "LeewayMessagesNotDelivered",
    what: "the mail server is down",
    series: { [`leeway_undelivered_messages{${ON},kind="alert",target="mail"}`]: "_x4 1x5 2x20" },
    notYet: "13m",
    at: "20m",
    fires: {
      labels: { ...TARGET, kind: "alert", target: "mail" },
      summary: "mail is not told (alert)",
      description:
        "Messages that failed and wait to be tried again: 2. Leeway goes on trying for three days.",
    },
  },
  {
    alert: "LeewayMessagesNotDelivered",
    what: "it comes back within ten minutes",
    series: { [`leeway_undelivered_messages{${ON},kind="alert",target="mail"}`]: "_x4 1x7 stale" },
    at: "20m",
    fires: "never",
  },
  {
    alert: "LeewayNotificationsFail",
    what: "one notification is given up",
    series: { [`leeway_notifications_total{${ON},channel="mail",outcome="failed"}`]: "0x9 1x60" },
    notYet: "9m",
    at: "12m",
    fires: {
      labels: { ...TARGET, channel: "mail" },
      summary: "Alert notifications by mail fail",
      description: "Leeway gave up notifications by this channel within the hour: somebody was not told.",
    },
  },
  {
    alert: "LeewayNotificationsFail",
    what: "retried and then delivered",
    series: {
      [`leeway_notifications_total{${ON},channel="mail",outcome="retried"}`]: "0x9 1 2 3x60",
      [`leeway_notifications_total{${ON},channel="mail",outcome="delivered"}`]: "0x12 1x60",
      [`leeway_notifications_total{${ON},channel="mail",outcome="failed"}`]: "0x72",
    },
    at: "20m",
    fires: "never",
  },
  {
    alert: "LeewayDeliveriesFail",
    what: "a request to retrain is given up",
    series: { [`leeway_deliveries_total{${ON},subscription="trainer",outcome="failed"}`]: "0x9 1x60" },
    notYet: "9m",
    at: "12m",
    fires: {
      labels: { ...TARGET, subscription: "trainer" },
      summary: "Webhooks to trainer fail",
      description:
        "Leeway gave up deliveries to this receiver within the hour, such as a request to retrain.",
    },
  },
  {
    alert: "LeewayDeliveriesFail",
    what: "all are delivered, and an old failure is over",
    series: {
      [`leeway_deliveries_total{${ON},subscription="trainer",outcome="failed"}`]: "0x3 1x100",
      [`leeway_deliveries_total{${ON},subscription="trainer",outcome="delivered"}`]: "0+1x100",
    },
    at: "90m",
    fires: "never",
  },
  {
    alert: "LeewayRetrainingFails",
    what: "the trainer reports a failure",
    series: { [`leeway_retrain_runs_total{${ON},model="churn",outcome="failed"}`]: "0x9 1x60" },
    notYet: "9m",
    at: "12m",
    fires: {
      labels: { ...TARGET, model: "churn" },
      summary: "Retraining of churn failed",
      description: "A retraining run failed within the day; the model in production stays as it is.",
    },
  },
  {
    alert: "LeewayRetrainingFails",
    what: "a run that completes",
    series: {
      [`leeway_retrain_runs_total{${ON},model="churn",outcome="requested"}`]: "0x9 1x60",
      [`leeway_retrain_runs_total{${ON},model="churn",outcome="completed"}`]: "0x20 1x60",
      [`leeway_retrain_runs_total{${ON},model="churn",outcome="failed"}`]: "0x80",
    },
    at: "60m",
    fires: "never",
  },
];
