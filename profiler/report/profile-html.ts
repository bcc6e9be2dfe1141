import type { Profile, ProfileWindow } from "../../schema/profile.ts";
import { milliseconds } from "../judge-window.ts";
import { decodeHistogram } from "../latency-histogram.ts";
import { megabytes } from "./profile-text.ts";
import { escaped, type Series, svgPlot } from "./svg-plot.ts";

const MIB = 1024 * 1024;
const COLOURS = { good: "#1b7f4d", bad: "#b3261e", other: "#8a6d00", plain: "#1f5fa8" } as const;

const STYLE = `
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; max-width: 74rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.sub { color: #555; margin: .25rem 0 1.25rem; }
.answer { display: flex; flex-wrap: wrap; gap: 1rem; }
.answer div { border: 1px solid #ccc; border-radius: 6px; padding: .6rem 1rem; min-width: 8rem; }
.answer b { display: block; font-size: 1.35rem; } .answer span { color: #555; font-size: .85rem; }
.grade-A b { color: ${COLOURS.good}; } .grade-B b { color: ${COLOURS.other}; } .grade-C b { color: ${COLOURS.bad}; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1.25rem; }
svg { width: 100%; height: auto; border: 1px solid #ddd; border-radius: 6px; break-inside: avoid; }
svg text { font: 11px system-ui, sans-serif; fill: #333; } svg .title { font-weight: 600; font-size: 12.5px; }
svg .grid { stroke: #e4e4e4; } svg .limit { stroke: ${COLOURS.bad}; stroke-dasharray: 5 4; } svg .limit-label { fill: ${COLOURS.bad}; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th:first-child, td:first-child, td.words, th.words { text-align: left; } td.words { white-space: normal; }
pre { background: #f5f5f5; padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } .plots { grid-template-columns: 1fr 1fr; } h2 { break-after: avoid; } tr, pre { break-inside: avoid; } table { font-size: 8.5px; } .scroll { overflow: visible; } td, th { padding: .12rem .25rem; white-space: normal; } }
`;

/** A profile as a page that stands by itself: it can be mailed, kept and printed. */
export function profileHtml(profile: Profile): string {
  const { asked } = profile;
  const objective = `p${asked.objective.percentile} within ${milliseconds(asked.objective.latency_ms)}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Profile of ${escaped(profile.name)}</title><style>${STYLE}</style></head><body>
<h1>${escaped(profile.name)}</h1>
<p class="sub">${asked.rate} requests per second, ${objective} · ${escaped(profile.created_at.replace("T", " ").slice(0, 16))} UTC · ${profile.mode} mode, ${Math.round(profile.elapsed_s)} s, ${profile.requests_sent} requests</p>
${answer(profile)}
<h2>How sure this is</h2>
<ul>${profile.reasons.map((reason) => `<li>${escaped(reason)}</li>`).join("")}</ul>
${evidence(profile)}
<h2>What was measured</h2>
<div class="plots">${plots(profile, objective).join("")}</div>
${facts(profile)}
<h2>Windows of load</h2>
${windowTable(profile.windows)}
<h2>Kubernetes</h2>
<pre>${escaped(profile.kubernetes)}</pre>
<h2>How it was measured</h2>
<p>${escaped(`${profile.machine.cores} cores of ${profile.machine.cpu_model}; limited by ${profile.machine.limiter}, measured by ${profile.machine.meter}.`)}
${profile.machine.passed_over.map(({ kind, why }) => escaped(`${kind} was not available: ${why}.`)).join(" ")}
Latency counts from the time a request was meant to be sent, so that a stall is seen whole; failures and time-outs count as the whole time-out. Arrivals: ${asked.arrivals}, seed ${asked.seed}. Leeway ${escaped(profile.leeway_version)}, profile ${escaped(profile.id)}.</p>
</body></html>
`;
}

function answer({ recommendation: found, grade, verified, cost, max_rate_at_objective }: Profile): string {
  const box = (value: string, what: string, name = "") =>
    `<div class="${name}"><b>${escaped(value)}</b><span>${escaped(what)}</span></div>`;
  return `<div class="answer">${[
    found.cpu === null
      ? ""
      : box(`${found.cpu} cores`, `CPU limit; request ${found.cpu_request ?? found.cpu}`),
    found.memory_bytes === null ? "" : box(megabytes(found.memory_bytes), "memory, request and limit"),
    found.replicas === null
      ? box("none", "no size of this machine meets the objective")
      : box(String(found.replicas), found.replicas === 1 ? "replica" : "replicas"),
    max_rate_at_objective === null
      ? ""
      : box(`${Math.round(max_rate_at_objective)}/s`, "highest rate of one replica"),
    cost === null ? "" : box(String(cost.per_million_predictions), "cost of a million predictions"),
    box(
      verified.verdict === "holds" ? "yes" : verified.verdict === "not-run" ? "no" : verified.verdict,
      "verified",
    ),
    box(grade, "grade", `grade-${grade}`),
  ].join("")}</div>`;
}

function evidence({ verified, latency_ms }: Profile): string {
  const run = (name: string, { verdict, why }: { readonly verdict: string; readonly why: string }) =>
    `<tr><td>${escaped(name)}</td><td class="words">${verdict === "not-run" ? "not run" : escaped(`${verdict}: ${why}`)}</td></tr>`;
  const { cpu } = verified.one_step_below;
  const percentiles = Object.entries(latency_ms).map(
    ([name, { value, interval }]) =>
      `<tr><td>${escaped(name === "p999" ? "p99.9" : name)}</td><td class="words">${escaped(`${milliseconds(value)}, 95 % interval from ${milliseconds(interval[0])} ${interval[1] === null ? "upwards (too few requests)" : `to ${milliseconds(interval[1])}`}`)}</td></tr>`,
  );
  return `<table><thead><tr><th>run</th><th class="words">result</th></tr></thead><tbody>
${run("at the target", verified.at_target)}${run("at 1.2 times the target", verified.at_headroom)}${run(cpu === null ? "one step less" : `one step less (${cpu} cores)`, verified.one_step_below)}
${percentiles.join("")}</tbody></table>`;
}

function plots(
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

function facts({ saturation, cpu_model, memory, start }: Profile): string {
  const items = [
    cpu_model === null
      ? ""
      : `A request takes ${cpu_model.cpu_ms_per_request} ms of CPU time (R² ${cpu_model.r_squared}); ${cpu_model.idle_cores} cores are used when nobody asks.`,
    saturation === null
      ? ""
      : `At most ${Math.round(saturation.max_rate)} answers per second with all cores.${saturation.contention === null ? "" : ` Contention ${saturation.contention}, coherency ${saturation.coherency} (universal scalability law, R² ${saturation.r_squared}).`}`,
    memory === null
      ? ""
      : `Memory: ${megabytes(memory.after_start_bytes)} after the start, ${megabytes(memory.peak_bytes)} at most, pages of files (which can be taken back) up to ${megabytes(memory.file_bytes)}. ${memory.leak.verdict === "leak-suspected" ? `It grows by ${Math.round(memory.leak.bytes_per_request)} bytes per request.` : memory.leak.verdict === "none-seen" ? "No leak was seen." : "Too few requests to see a leak."}`,
    start.ready_ms === null
      ? ""
      : `Ready after ${milliseconds(start.ready_ms)}; warm after ${start.warm_up_s.toFixed(1)} s of load.`,
  ].filter((item) => item !== "");
  return `<ul>${items.map((item) => `<li>${escaped(item)}</li>`).join("")}</ul>`;
}

function windowTable(windows: readonly ProfileWindow[]): string {
  const rows = windows.map((window) => [
    window.phase,
    window.rate === null ? `${window.concurrency} callers` : `${Number(window.rate.toPrecision(4))}/s`,
    `${Math.round(window.achieved_rate)}/s`,
    window.cpu_limit === null ? "–" : String(window.cpu_limit),
    window.cpu_cores === null ? "–" : window.cpu_cores.toFixed(2),
    window.throttled_share === null ? "–" : `${Math.round(100 * window.throttled_share)} %`,
    milliseconds(window.latency_ms.p50),
    milliseconds(window.latency_ms.p99),
    String(window.failed + window.timed_out),
    window.held_peak_bytes === null ? "–" : megabytes(window.held_peak_bytes),
    window.load === "open" ? milliseconds(window.lateness_p99_ms) : "–",
    window.verdict === "not-judged" ? "" : `${window.verdict}: ${window.why}`,
  ]);
  const head = [
    "phase",
    "load",
    "answered",
    "limit",
    "cores",
    "throttled",
    "p50",
    "p99",
    "failed",
    "memory",
    "generator late",
    "verdict",
  ];
  const row = (cells: readonly string[], tag: "td" | "th") =>
    `<tr>${cells.map((cell, i) => `<${tag}${i === cells.length - 1 ? ' class="words"' : ""}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="scroll"><table><thead>${row(head, "th")}</thead><tbody>${rows.map((cells) => row(cells, "td")).join("")}</tbody></table></div>`;
}
