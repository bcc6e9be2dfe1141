import type { Profile, ProfileWindow } from "../../schema/profile.ts";
import { milliseconds } from "../judge-window.ts";
import { textPlot } from "./text-plot.ts";

const MIB = 1024 * 1024;

/** A profile as a terminal shows it: the answer first, then what it rests on. */
export function profileText(profile: Profile): string {
  const { asked } = profile;
  const objective = `p${asked.objective.percentile} ≤ ${milliseconds(asked.objective.latency_ms)}`;
  return [
    `${profile.name}: ${asked.rate}/s, ${objective}`,
    "",
    ...answer(profile),
    "",
    ...facts(profile),
    "",
    ...windowTable(profile.windows),
    "",
    ...plot(profile, objective),
    "",
    `grade ${profile.grade}`,
    ...profile.reasons.map((reason) => `  - ${reason}`),
    `id ${profile.id}, ${Math.round(profile.elapsed_s)} s, ${profile.requests_sent} requests`,
  ].join("\n");
}

function answer({ recommendation: found, verified }: Profile): string[] {
  const { cpu, memory_bytes, replicas, cpu_request, rate_per_replica } = found;
  const size =
    cpu === null || memory_bytes === null
      ? []
      : [
          `  CPU        ${cpu} cores (request ${cpu_request ?? cpu})`,
          `  memory     ${megabytes(memory_bytes)} (request and limit)`,
        ];
  const { threads, batch_size } = found;
  const batch = batch_size === null || batch_size === 1 ? "" : `, up to ${batch_size} instances in a run`;
  const split = threads === null ? [] : [`  threads    ${threads}${batch}`];
  const count =
    replicas === null
      ? []
      : [`  replicas   ${replicas}${replicas > 1 ? ` at ${rate_per_replica}/s each` : ""}`];
  const run = (name: string, { verdict, why }: { readonly verdict: string; readonly why: string }) =>
    `  ${name.padEnd(26)} ${verdict === "not-run" ? "not run" : `${verdict}: ${why}`}`;
  const { one_step_below: below } = verified;
  return [
    replicas === null ? "no size of this machine meets the objective" : "recommended",
    ...size,
    ...count,
    ...split,
    "",
    `verified: ${verified.verdict === "not-run" ? "no" : verified.verdict}`,
    run("at the target", verified.at_target),
    run("at 1.2 times the target", verified.at_headroom),
    run(below.cpu === null ? "one step less" : `one step less (${below.cpu})`, below),
  ];
}

function facts(profile: Profile): string[] {
  const { cpu_model, memory, saturation, max_rate_at_objective, cost, machine, start } = profile;
  const lines: (readonly [string, string] | undefined)[] = [
    max_rate_at_objective === null
      ? undefined
      : ["highest rate", `${Math.round(max_rate_at_objective)}/s of one replica within the objective`],
    saturation === null
      ? undefined
      : ["saturation", `${Math.round(saturation.max_rate)}/s with ${machine.cores} cores`],
    cpu_model === null
      ? undefined
      : [
          "CPU time",
          `${cpu_model.cpu_ms_per_request} ms per request, ${cpu_model.idle_cores} cores idle (R² ${cpu_model.r_squared})`,
        ],
    memory === null
      ? undefined
      : [
          "memory",
          `${megabytes(memory.after_start_bytes)} after the start, ${megabytes(memory.peak_bytes)} at most; ${leakText(memory.leak)}`,
        ],
    start.ready_ms === null
      ? undefined
      : [
          "start",
          `ready after ${milliseconds(start.ready_ms)}${limitedStart(start)}, warm after ${start.warm_up_s.toFixed(1)} s`,
        ],
    cost === null
      ? undefined
      : ["cost", `${cost.per_million_predictions} per million predictions at this rate`],
    [
      "measured by",
      `${machine.meter}, limited by ${machine.limiter}, on ${machine.cores} cores of ${machine.cpu_model}`,
    ],
  ];
  return lines.flatMap((line) => (line ? [`  ${line[0].padEnd(14)} ${line[1]}`] : []));
}

export function limitedStart({ limited, limited_ready_ms }: Profile["start"]): string {
  if (limited_ready_ms === null || limited_ready_ms === undefined) return "";
  const time = milliseconds(limited_ready_ms);
  return `, ${time} under these limits${limited === "calculated" ? " (calculated)" : ""}`;
}

function leakText({ verdict, hours_to_limit }: NonNullable<Profile["memory"]>["leak"]): string {
  if (verdict === "none-seen") return "no leak seen";
  if (verdict === "too-short") return "too short to see a leak";
  return `a leak is suspected${hours_to_limit === null ? "" : `, ${hours_to_limit.toFixed(1)} h to the limit`}`;
}

function windowTable(windows: readonly ProfileWindow[]): string[] {
  const head = ["", "rate", "cores", "limit", "p50", "p99", "failed", "memory", "verdict"];
  const rows = windows.map((window) => [
    window.phase,
    window.rate === null
      ? `${window.concurrency} ${window.concurrency === 1 ? "caller" : "callers"}`
      : `${round(window.rate)}/s`,
    window.cpu_cores === null ? "-" : window.cpu_cores.toFixed(2),
    window.cpu_limit === null ? "-" : String(window.cpu_limit),
    milliseconds(window.latency_ms.p50),
    milliseconds(window.latency_ms.p99),
    String(window.failed + window.timed_out),
    window.held_peak_bytes === null ? "-" : megabytes(window.held_peak_bytes),
    window.verdict === "not-judged" ? `${Math.round(window.achieved_rate)}/s` : window.verdict,
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  return [head, ...rows].map((row) =>
    `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ")}`.trimEnd(),
  );
}

function plot({ windows, asked }: Profile, objective: string): string[] {
  const points = windows
    .filter(({ load }) => load === "open")
    .map((window) => ({
      x: window.rate ?? 0,
      y: window.objective_ms,
      mark: window.verdict === "meets" ? "o" : window.verdict === "misses" ? "x" : "?",
    }));
  const lines = textPlot(points, {
    width: 60,
    height: 10,
    line: asked.objective.latency_ms,
    yText: milliseconds,
    xText: (x) => `${round(x)}/s`,
  });
  return lines.length === 0
    ? []
    : [
        `  p${asked.objective.percentile} over rate, all limits (o meets ${objective}, x misses, ? disturbed)`,
        ...lines.map((line) => `  ${line}`),
      ];
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
