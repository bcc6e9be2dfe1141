import type { LatencyObjective, ProfilePhase, ProfileWindow } from "../schema/profile.ts";
import { percentileRanks } from "./fit/percentile-interval.ts";
import type { LoadResult, WindowOrder } from "./generator/messages.ts";
import { decodeHistogram, percentileMs } from "./latency-histogram.ts";
import type { Limits } from "./limiters/limiter.ts";
import type { Reading } from "./meters/meter.ts";

/** What was read at one end of a window. */
export interface WindowEnd {
  readonly atMs: number;
  readonly reading: Reading | undefined;
  readonly machineCpuSeconds: number | undefined;
  readonly ownCpuSeconds: number;
}

/** Puts together what the generator and the meters say of one window. It is not judged yet. */
export function windowResult({
  phase,
  order,
  load,
  limits,
  objective,
  begin,
  end,
  samples,
}: {
  readonly phase: ProfilePhase;
  readonly order: WindowOrder;
  readonly load: LoadResult;
  readonly limits: Limits;
  readonly objective: LatencyObjective;
  readonly begin: WindowEnd;
  readonly end: WindowEnd;
  readonly samples: readonly { readonly held_bytes: number; readonly file_bytes: number }[];
}): ProfileWindow {
  const latency = decodeHistogram(load.latency);
  const at = (percentile: number) => round(percentileMs(latency, percentile));
  const seconds = (end.atMs - begin.atMs) / 1_000;
  const used = difference(end.reading?.cpuSeconds, begin.reading?.cpuSeconds);
  const all = difference(end.machineCpuSeconds, begin.machineCpuSeconds);
  const strangers =
    all === undefined ? undefined : all - (used ?? 0) - (end.ownCpuSeconds - begin.ownCpuSeconds);
  const periods = difference(end.reading?.throttling?.periods, begin.reading?.throttling?.periods);
  const throttled = difference(
    end.reading?.throttling?.throttledPeriods,
    begin.reading?.throttling?.throttledPeriods,
  );
  return {
    phase,
    started_s: round(begin.atMs / 1_000),
    seconds: round(load.durationMs / 1_000),
    load: order.kind,
    rate: order.kind === "open" ? order.rate : null,
    concurrency: order.kind === "closed" ? order.concurrency : null,
    cpu_limit: limits.cpu ?? null,
    memory_limit_bytes: limits.memoryBytes ?? null,
    requests: load.ok + load.failed + load.timedOut,
    ok: load.ok,
    failed: load.failed,
    timed_out: load.timedOut,
    outcomes: load.outcomes,
    achieved_rate: round(load.ok / (load.durationMs / 1_000)),
    latency_ms: {
      mean: round(latency.totalCount === 0 ? 0 : latency.mean / 1_000),
      p50: at(50),
      p90: at(90),
      p95: at(95),
      p99: at(99),
      p999: at(99.9),
      max: round(latency.totalCount === 0 ? 0 : latency.maxValue / 1_000),
    },
    objective_ms: at(objective.percentile),
    objective_interval_ms: percentileInterval(load.latency, objective.percentile),
    service_p50_ms: round(percentileMs(decodeHistogram(load.service), 50)),
    lateness_p99_ms: round(percentileMs(decodeHistogram(load.lateness), 99)),
    most_in_flight: load.mostInFlight,
    cpu_cores: used === undefined ? null : round(used / seconds),
    other_cores: strangers === undefined ? null : round(Math.max(0, strangers / seconds)),
    throttled_share:
      periods === undefined || throttled === undefined ? null : round(periods > 0 ? throttled / periods : 0),
    held_peak_bytes: end.reading
      ? Math.max(...samples.map(({ held_bytes }) => held_bytes), end.reading.heldBytes)
      : null,
    file_bytes: end.reading?.fileBytes ?? null,
    threads: end.reading?.threads ?? null,
    file_descriptors: end.reading?.fileDescriptors ?? null,
    processes: end.reading?.processes ?? null,
    verdict: "not-judged",
    why: load.end === "hopeless" ? "ended early: the objective was out of reach" : "",
    histogram: load.latency,
  };
}

/** The 95 % interval of a percentile in milliseconds; null for an upper end that too few requests leave open. */
export function percentileInterval(histogram: string, percentile: number): [number, number | null] {
  const decoded = decodeHistogram(histogram);
  const count = decoded.totalCount;
  if (count === 0) return [0, null];
  const { lower, upper } = percentileRanks(count, percentile);
  const atRank = (rank: number) => round(percentileMs(decoded, (100 * (rank + 1)) / count));
  return [atRank(lower), upper === undefined ? null : atRank(upper)];
}

function difference(end: number | undefined, begin: number | undefined): number | undefined {
  return end === undefined || begin === undefined ? undefined : end - begin;
}

/** To the microsecond, the thousandth of a core, the byte: what lies below is noise. */
export function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
