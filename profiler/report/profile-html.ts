import type { Profile, ProfileWindow } from "../../schema/profile.ts";
import { milliseconds } from "../judge-window.ts";
import { COLOURS, profilePlots } from "./profile-plots.ts";
import { limitedStart, megabytes } from "./profile-text.ts";
import { escaped } from "./svg-plot.ts";

const STYLE = `
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; max-width: 74rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.sub { color: #555; margin: .25rem 0 1.25rem; }
.answer { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .75rem; }
.answer div { border: 1px solid #ccc; border-radius: 6px; padding: .6rem .8rem; break-inside: avoid; }
.answer b { display: block; font-size: 1.35rem; } .answer span { color: #555; font-size: .85rem; }
.grade-A b { color: ${COLOURS.good}; } .grade-B b { color: ${COLOURS.other}; } .grade-C b { color: ${COLOURS.bad}; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1.25rem; }
svg { width: 100%; height: auto; border: 1px solid #ddd; border-radius: 6px; break-inside: avoid; }
svg text { font: 11px system-ui, sans-serif; fill: #333; } svg .title { font-weight: 600; font-size: 12.5px; }
svg .grid { stroke: #e4e4e4; } svg .limit { stroke: ${COLOURS.bad}; stroke-dasharray: 5 4; } svg .limit-label { fill: ${COLOURS.bad}; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { text-align: right; padding: .25rem .45rem; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th:first-child, td:first-child, td.words, th.words { text-align: left; } td.words { white-space: normal; min-width: 8rem; }
pre { background: #f5f5f5; padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } .plots { grid-template-columns: 1fr 1fr; gap: .6rem; } .answer { grid-template-columns: repeat(auto-fit, minmax(5.5rem, 1fr)); gap: .4rem; } .answer div { padding: .3rem .5rem; } .answer b { font-size: 1.1rem; } h2 { break-after: avoid; } tr, pre { break-inside: avoid; } table { font-size: 8.5px; } .scroll { overflow: visible; } td, th { padding: .12rem .25rem; } th, td.words { white-space: normal; min-width: 0; } }
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
<div class="plots">${profilePlots(profile, objective).join("")}</div>
${facts(profile)}
${splits(profile)}<h2>Windows of load</h2>
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
    box(grade, "grade", `grade-${grade}`),
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
      : `Ready after ${milliseconds(start.ready_ms)}${limitedStart(start)}; warm after ${start.warm_up_s.toFixed(1)} s of load.`,
  ].filter((item) => item !== "");
  return `<ul>${items.map((item) => `<li>${escaped(item)}</li>`).join("")}</ul>`;
}

/** Threads, replicas and batches that were tried. */
function splits({ thread_trials = [], recommendation }: Profile): string {
  if (thread_trials.length === 0) return "";
  const { threads, batch_size } = recommendation;
  const rows = thread_trials.map((trial) => [
    `${trial.threads === threads && trial.batch_size === (batch_size ?? 1) ? "✓ " : ""}${trial.threads} × ${trial.replicas}`,
    trial.batch_size === 1 ? "each by itself" : `up to ${trial.batch_size}`,
    `${Math.round(trial.max_rate)}/s`,
    milliseconds(trial.p50_ms),
    trial.cpu_ms_per_request === null ? "–" : `${trial.cpu_ms_per_request} ms`,
  ]);
  const head = [
    "threads × replicas",
    "instances in a run",
    "most answers",
    "p50, one caller",
    "CPU per request",
  ];
  const row = (cells: readonly string[], tag: "td" | "th") =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<h2>Threads, replicas and batches</h2><table><thead>${row(head, "th")}</thead><tbody>${rows.map((cells) => row(cells, "td")).join("")}</tbody></table>`;
}

function windowTable(windows: readonly ProfileWindow[]): string {
  const rows = windows.map((window) => [
    window.phase,
    window.rate === null
      ? `${window.concurrency} ${window.concurrency === 1 ? "caller" : "callers"}`
      : `${Number(window.rate.toPrecision(4))}/s`,
    `${Math.round(window.achieved_rate)}/s`,
    window.cpu_limit === null ? "–" : String(window.cpu_limit),
    window.cpu_cores === null ? "–" : window.cpu_cores.toFixed(2),
    window.throttled_share === null ? "–" : `${Math.round(100 * window.throttled_share)} %`,
    milliseconds(window.latency_ms.p50),
    milliseconds(window.latency_ms.p99),
    String(window.failed + window.timed_out),
    window.held_peak_bytes === null ? "–" : megabytes(window.held_peak_bytes),
    window.load === "open" ? milliseconds(window.lateness_p99_ms) : "–",
    window.verdict === "not-judged"
      ? ""
      : window.verdict === "meets"
        ? "meets"
        : `${window.verdict}: ${window.why}`,
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
