import type { Histogram } from "hdr-histogram-js";
import type { Profile, ProfileWindow } from "../../schema/profile.ts";
import { milliseconds } from "../judge-window.ts";
import { decodeHistogram } from "../latency-histogram.ts";
import { type Series, svgPlot } from "./svg-plot.ts";

const MIB = 1024 * 1024;
export const COLOURS = { good: "#1b7f4d", bad: "#b3261e", other: "#8a6d00", plain: "#1f5fa8" } as const;

/** The plots of a report, as SVG: latency, CPU, throughput, memory. */
export function profilePlots(
  { windows, asked, saturation, cpu_model, memory, recommendation }: Profile,
  objective: string,
): string[] {
  const open = windows.filter(({ load }) => load === "open");
  const percentile = `p${asked.objective.percentile}`;
  const series = (
    name: string,
    verdict: ProfileWindow["verdict"],
    colour: string,
    look: Series["look"],
  ): Series => ({
    name,
    colour,
    look,
    points: open
      .filter((window) => window.verdict === verdict)
      .map((window) => ({
        x: window.rate ?? 0,
        y: window.objective_ms,
        title: `${window.phase}, ${window.cpu_limit ?? "all"} cores: ${milliseconds(window.objective_ms)}`,
      })),
  });
  const limits = {
    lines: [{ y: asked.objective.latency_ms, label: objective }],
    yScale: "log",
    format: milliseconds,
  } as const;
  const verified = windows.findLast(({ phase }) => phase === "verification") ?? open.at(-1);
  return [
    svgPlot(
      [
        series("meets", "meets", COLOURS.good, "dots"),
        series("misses", "misses", COLOURS.bad, "crosses"),
        series("disturbed", "disturbed", COLOURS.other, "crosses"),
      ],
      {
        title: `${percentile} over rate, at every limit tried`,
        xLabel: "requests per second",
        yLabel: percentile,
        ...limits,
      },
    ),
    svgPlot(
      [
        {
          name: "at the target rate",
          colour: COLOURS.plain,
          look: "dots",
          points: open
            .filter(
              ({ cpu_limit, rate }) =>
                cpu_limit !== null &&
                rate !== null &&
                Math.abs(rate / (recommendation.rate_per_replica ?? asked.rate) - 1) < 0.01,
            )
            .map((window) => ({ x: window.cpu_limit ?? 0, y: window.objective_ms })),
        },
      ],
      { title: `${percentile} over the CPU limit`, xLabel: "cores", yLabel: percentile, ...limits },
    ),
    svgPlot(
      [
        {
          name: "open loop",
          colour: COLOURS.plain,
          look: "dots",
          points: open.flatMap((window) =>
            window.cpu_cores === null ? [] : [{ x: window.achieved_rate, y: window.cpu_cores }],
          ),
        },
        {
          name: "fit",
          colour: COLOURS.other,
          look: "line",
          points:
            cpu_model === null
              ? []
              : [0, Math.max(...open.map(({ achieved_rate }) => achieved_rate), 1)].map((x) => ({
                  x,
                  y: Math.max(0, cpu_model.idle_cores + (x * cpu_model.cpu_ms_per_request) / 1_000),
                })),
        },
      ],
      { title: "CPU in use over rate", xLabel: "good answers per second", yLabel: "cores" },
    ),
    svgPlot(
      [
        {
          name: "throughput",
          colour: COLOURS.plain,
          look: "line-and-dots",
          points: (saturation?.points ?? []).map(({ concurrency, rate }) => ({ x: concurrency, y: rate })),
        },
      ],
      {
        title: "Throughput over callers that wait for their answers",
        xLabel: "callers",
        yLabel: "answers per second",
      },
    ),
    svgPlot(
      [
        {
          name: "held",
          colour: COLOURS.plain,
          look: "line",
          points: (memory?.samples ?? []).map((sample) => ({ x: sample.at_s, y: sample.held_bytes / MIB })),
        },
        {
          name: "files",
          colour: COLOURS.other,
          look: "line",
          points: (memory?.samples ?? []).map((sample) => ({ x: sample.at_s, y: sample.file_bytes / MIB })),
        },
      ],
      {
        title: "Memory over time",
        xLabel: "seconds",
        yLabel: "MiB",
        ...(recommendation.memory_bytes === null || memory === null
          ? {}
          : { lines: [{ y: recommendation.memory_bytes / MIB, label: "recommended limit" }] }),
      },
    ),
    verified
      ? svgPlot(
          [
            {
              name: "requests",
              colour: COLOURS.plain,
              look: "bars",
              points: latencyBars(decodeHistogram(verified.histogram)),
            },
          ],
          {
            title: "Histogram of latencies in the verifying window",
            xLabel: "latency in ms",
            yLabel: "percent of the requests",
            xScale: "log",
          },
        )
      : "",
    verified
      ? svgPlot(distribution(verified), {
          title: "Latency in the verifying window",
          xLabel: "share of the requests that took longer, in percent",
          yLabel: "latency",
          xScale: "log",
          ...limits,
        })
      : "",
  ];
}

/** Bars to a tenfold of latency. */
const BARS_PER_DECADE = 12;
/** Requests looked at: of more, as many that are spread evenly over them. */
const MOST_LOOKED_AT = 20_000;

/**
 * How many percent of the requests took how long: bars of equal width on a logarithmic axis, from the shortest to the
 * longest latency, `x` the middle of each in ms. Together they are 100.
 */
export function latencyBars(histogram: Histogram): { readonly x: number; readonly y: number }[] {
  const looks = Math.min(histogram.totalCount, MOST_LOOKED_AT);
  const counts = new Map<number, number>();
  for (let i = 0; i < looks; i++) {
    const ms = histogram.getValueAtPercentile(((i + 0.5) / looks) * 100) / 1_000;
    const bar = Math.floor(Math.log10(ms) * BARS_PER_DECADE);
    counts.set(bar, (counts.get(bar) ?? 0) + 1);
  }
  if (looks === 0) return [];
  const first = Math.min(...counts.keys());
  return Array.from({ length: Math.max(...counts.keys()) - first + 1 }, (_, i) => ({
    x: 10 ** ((first + i + 0.5) / BARS_PER_DECADE),
    y: ((counts.get(first + i) ?? 0) / looks) * 100,
  }));
}

/** Latency by the share of requests that took longer, so that the tail takes as much room as the middle. */
function distribution(window: ProfileWindow): Series[] {
  const histogram = decodeHistogram(window.histogram);
  if (histogram.totalCount === 0) return [];
  const shares = [100, 75, 50, 25, 10, 5, 2, 1, 0.5, 0.2, 0.1].filter(
    (share) => share >= 100 / histogram.totalCount,
  );
  return [
    {
      name: "requests",
      colour: COLOURS.plain,
      look: "line-and-dots",
      points: shares.map((share) => ({ x: share, y: histogram.getValueAtPercentile(100 - share) / 1_000 })),
    },
  ];
}
