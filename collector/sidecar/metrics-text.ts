import type { CounterName, Counters } from "./counters.ts";

interface Metric {
  readonly name: string;
  readonly kind: "counter" | "gauge";
  readonly help: string;
  /** Series: labels as they are printed, and the counters that add up to the value. */
  readonly series: readonly (readonly [labels: string, ...counters: CounterName[]])[];
}

/** The sums that hold: requests captured = decoded + undecoded + dropped; records captured and recovered = sent + dropped + gathering + waiting + spooled. */
const METRICS: readonly Metric[] = [
  {
    name: "requests_total",
    kind: "counter",
    help: "Calls that went through, by class of the status that the caller got (499 for one who went away).",
    series: (["1xx", "2xx", "3xx", "4xx", "5xx"] as const).map((code) => [
      `{code="${code}"}`,
      `requests_${code}`,
    ]),
  },
  {
    name: "captured_requests_total",
    kind: "counter",
    help: "Calls captured, after sampling.",
    series: [["", "captured_requests"]],
  },
  {
    name: "sampled_out_requests_total",
    kind: "counter",
    help: "Calls left out by sampling.",
    series: [["", "sampled_out_requests", "sampled_out_decoded_requests"]],
  },
  {
    name: "undecoded_requests_total",
    kind: "counter",
    help: "Captured calls of which no record was made: body longer than --max-body, cut off on the way, or of a format that is not known.",
    series: (["too_long", "cut_off", "format"] as const).map((reason) => [
      `{reason="${reason}"}`,
      `undecoded_requests_${reason}`,
    ]),
  },
  {
    name: "dropped_requests_total",
    kind: "counter",
    help: "Calls lost before records were made of them: memory full, or the background thread died.",
    series: (["memory", "background"] as const).map((reason) => [
      `{reason="${reason}"}`,
      `dropped_requests_${reason}`,
    ]),
  },
  {
    name: "captured_records_total",
    kind: "counter",
    help: "Records made of captured calls, one per scored instance.",
    series: [["", "captured_records"]],
  },
  {
    name: "recovered_records_total",
    kind: "counter",
    help: "Records found in the spool at start.",
    series: [["", "recovered_records"]],
  },
  {
    name: "sent_records_total",
    kind: "counter",
    help: "Records that the collector answered for, by what became of them.",
    series: (["stored", "duplicate", "rejected", "sampled_out"] as const).map((outcome) => [
      `{outcome="${outcome}"}`,
      `sent_records_${outcome}`,
    ]),
  },
  {
    name: "dropped_records_total",
    kind: "counter",
    help: "Records lost: the spool was full, could not be written or there was none, and memory was full; or the background thread died.",
    series: (["spool_full", "spool_failed", "no_spool", "background"] as const).map((reason) => [
      `{reason="${reason}"}`,
      `dropped_records_${reason}`,
    ]),
  },
  {
    name: "gathering_records",
    kind: "gauge",
    help: "Records in the batch that is being made.",
    series: [["", "gathering_records"]],
  },
  {
    name: "waiting_records",
    kind: "gauge",
    help: "Records in memory that wait to be sent.",
    series: [["", "waiting_records"]],
  },
  {
    name: "waiting_bytes",
    kind: "gauge",
    help: "Bytes of them, compressed.",
    series: [["", "waiting_bytes"]],
  },
  {
    name: "spooled_records",
    kind: "gauge",
    help: "Records on disk that wait to be sent.",
    series: [["", "spooled_records"]],
  },
  {
    name: "spooled_bytes",
    kind: "gauge",
    help: "Bytes of them, compressed.",
    series: [["", "spooled_bytes"]],
  },
  {
    name: "send_failures_total",
    kind: "counter",
    help: "Requests that the collector did not answer for.",
    series: [["", "send_failures"]],
  },
  {
    name: "upstream_retries_total",
    kind: "counter",
    help: "Calls sent a second time because the kept connection turned out to be closed.",
    series: [["", "upstream_retries"]],
  },
  {
    name: "background_restarts_total",
    kind: "counter",
    help: "Times the background thread died and was started again.",
    series: [["", "background_restarts"]],
  },
];

/** What `/metrics` answers, in the text format of Prometheus. */
export function metricsText(
  counters: Counters,
  { model, spoolBytes, now }: { readonly model: string; readonly spoolBytes: number; readonly now: Date },
): string {
  const oldestMs = counters.get("oldest_waiting_ms");
  const lag = oldestMs === 0 ? 0 : Math.max(0, (now.getTime() - oldestMs) / 1000);
  const lines = METRICS.flatMap(({ name, kind, help, series }) => [
    ...head(`leeway_sidecar_${name}`, kind, help),
    ...series.map(([labels, ...names]) => {
      const value = names.reduce((sum, counter) => sum + counters.get(counter), 0);
      return `leeway_sidecar_${name}${labels} ${value}`;
    }),
  ]);
  const { user, system } = process.cpuUsage();
  return `${[
    ...lines,
    ...single("leeway_sidecar_spool_limit_bytes", "gauge", "Bytes that may wait on disk.", spoolBytes),
    ...single("leeway_sidecar_lag_seconds", "gauge", "Age of the oldest record that is not yet sent.", lag),
    ...head("leeway_sidecar_info", "gauge", "1, labelled with the model whose calls are recorded."),
    `leeway_sidecar_info{model="${model}"} 1`,
    ...single("process_cpu_seconds_total", "counter", "CPU time of the process.", (user + system) / 1e6),
    ...single("process_resident_memory_bytes", "gauge", "Resident memory.", process.memoryUsage.rss()),
    ...single(
      "process_start_time_seconds",
      "gauge",
      "When the process started, in seconds since 1970.",
      Math.round(now.getTime() / 1000 - process.uptime()),
    ),
  ].join("\n")}\n`;
}

function single(name: string, kind: Metric["kind"], help: string, value: number): string[] {
  return [...head(name, kind, help), `${name} ${value}`];
}

function head(name: string, kind: Metric["kind"], help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`];
}
