import { type MetricLabel, type MetricLabelValue, type MetricName, metricTable } from "../schema/metrics.ts";

/** Metrics of the process itself (prom-client's defaults) and of the scrape, which Prometheus adds. */
export const processMetrics = [
  "up",
  "scrape_duration_seconds",
  "process_start_time_seconds",
  "process_cpu_seconds_total",
  "process_resident_memory_bytes",
  "process_open_fds",
  "process_max_fds",
  "nodejs_heap_size_used_bytes",
  "nodejs_eventloop_lag_p99_seconds",
] as const;
export type ProcessMetric = (typeof processMetrics)[number];

/** Which series of a metric: label and the word it must say. A label the metric has not, or a word the table does not list, is a type error. */
export type Where<N extends MetricName> = {
  readonly [L in MetricLabel<N>]?: MetricLabelValue<N, L>;
};

/** The dashboard's variables; one narrows down every metric that has a label of its name. */
const VARIABLES = ["job", "instance", "model", "monitor", "feature", "statistic"] as const;
export type Variable = (typeof VARIABLES)[number];
const ON_EVERY_SERIES: readonly string[] = ["job", "instance"]; // Prometheus adds them

/**
 * All series of a metric, for a rule.
 *
 * @example
 * series("leeway_records_total", { outcome: "rejected" }); // leeway_records_total{outcome="rejected"}
 */
export function series<N extends MetricName>(name: N, where: Where<N> = {}): string {
  return selector(name, matchers(where));
}

/**
 * The series of a metric that the dashboard's variables choose, for a panel.
 *
 * @example
 * shown("leeway_window_records"); // leeway_window_records{job=~"$job",instance=~"$instance",model=~"$model",monitor=~"$monitor"}
 */
export function shown<N extends MetricName>(name: N, where: Where<N> = {}): string {
  return selector(name, [...chosen(metricTable[name].labels), ...matchers(where)]);
}

/** As `shown`, but for one variable: the series among which that variable offers a choice. */
export function shownExcept<N extends MetricName>(name: N, own: Variable): string {
  const labels: readonly string[] = metricTable[name].labels;
  return selector(
    name,
    chosen(labels).filter((matcher) => !matcher.startsWith(`${own}=`)),
  );
}

/** As `shown`, for what the process or the scrape tells of itself. */
export function shownProcess(name: ProcessMetric): string {
  return selector(name, chosen([]));
}

type Histogram = {
  [N in MetricName]: (typeof metricTable)[N]["kind"] extends "histogram" ? N : never;
}[MetricName];

/** The cumulative buckets of a histogram, for `histogram_quantile`. */
export function buckets(name: Histogram): string {
  return `${name}_bucket`;
}

/** As `buckets`, narrowed down by the dashboard's variables. */
export function shownBuckets(name: Histogram): string {
  return selector(buckets(name), chosen([]));
}

function chosen(labels: readonly string[]): string[] {
  return VARIABLES.filter((name) => ON_EVERY_SERIES.includes(name) || labels.includes(name)).map(
    (name) => `${name}=~"$${name}"`,
  );
}

function matchers(where: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(where).map(([label, word]) => `${label}=${JSON.stringify(word)}`);
}

function selector(name: string, parts: readonly string[]): string {
  return parts.length === 0 ? name : `${name}{${parts.join(",")}}`;
}
