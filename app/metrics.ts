import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { type MetricDefinition, type MonitorMetrics, metricTable } from "../schema/metrics.ts";

const TABLE: ReadonlyMap<string, MetricDefinition> = new Map(Object.entries(metricTable));

type Labels = Readonly<Record<string, string>>;
type Series = Map<string, Labels>;

/** What the service shows of itself: every metric of the table, and those of the process. */
export interface ServiceMetrics extends MonitorMetrics {
  /** The text that `/metrics` answers with, and its content type. */
  read(): Promise<{ readonly text: string; readonly contentType: string }>;
}

export function createMetrics({ version }: { readonly version: string }): ServiceMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "leeway_build_info",
    help: "1, labelled with the version that runs.",
    labelNames: ["version"],
    registers: [registry],
  }).set({ version }, 1);

  const counters = new Map<string, Counter>();
  const gauges = new Map<string, { readonly gauge: Gauge; readonly series: Series }>();
  const histograms = new Map<string, Histogram>();
  for (const [name, definition] of TABLE) {
    const options = {
      name,
      help: definition.help,
      labelNames: [...definition.labels],
      registers: [registry],
    };
    if (definition.kind === "counter") counters.set(name, new Counter(options));
    if (definition.kind === "gauge") gauges.set(name, { gauge: new Gauge(options), series: new Map() });
    if (definition.kind === "histogram") {
      histograms.set(name, new Histogram({ ...options, buckets: [...(definition.buckets ?? [])] }));
    }
  }

  /** Series that were counted before, by name and labels: to look them up in the library takes longer than to count. */
  const counted = new Map<string, Counter.Internal>();
  const seriesOf = (name: string, labels: Labels) => {
    let key = name;
    for (const label in labels) key += `\0${labels[label]}`;
    const before = counted.get(key);
    if (before) return before;
    const counter = known(counters, name);
    for (const each of siblings(name, labels)) counter.inc({ ...each }, 0);
    const series = counter.labels({ ...labels });
    counted.set(key, series);
    return series;
  };
  return {
    count: (name, labels, by = 1) => seriesOf(name, labels).inc(by),
    set: (name, labels, value) => {
      const { gauge, series } = known(gauges, name);
      series.set(JSON.stringify(Object.values(labels)), labels);
      gauge.set({ ...labels }, value);
    },
    observe: (name, labels, value) => known(histograms, name).observe({ ...labels }, value),
    forget: (name, labels) => {
      const { gauge, series } = known(gauges, name);
      const wanted = Object.entries(labels);
      for (const [key, of] of series) {
        if (!wanted.every(([label, value]) => of[label] === value)) continue;
        gauge.remove({ ...of });
        series.delete(key);
      }
    },
    read: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
  };
}

/**
 * The series that differ from this one only in a word the table lists, such as the outcome. They are shown at 0 as soon
 * as the first of them is counted: Prometheus sees no increase in a series that begins at 1, so that the first failure
 * of a channel would go unnoticed.
 */
function siblings(name: string, labels: Labels): readonly Labels[] {
  const listed = Object.entries(TABLE.get(name)?.values ?? {});
  return listed.flatMap(([label, words]) => words.map((word) => ({ ...labels, [label]: word })));
}

function known<M>(metrics: ReadonlyMap<string, M>, name: string): M {
  const metric = metrics.get(name);
  if (!metric) throw new RangeError(`no metric "${name}" of this kind is in schema/metrics.ts`);
  return metric;
}
