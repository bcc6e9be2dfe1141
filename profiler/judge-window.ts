import type { LatencyObjective, ProfileWindow } from "../schema/profile.ts";
import { neededRequests } from "./fit/percentile-interval.ts";

/** Strangers may use so much of the machine before a window that misses is measured again. */
const BEARABLE_OTHER_CORES = 0.25;
/** Share of its CPU limit from which a service counts as held back by it. */
const USED_UP = 0.9;

export interface Judgement {
  readonly verdict: "meets" | "misses" | "disturbed";
  readonly why: string;
}

/**
 * Whether a window met the objective. `disturbed`: it missed, but the generator was late or strangers kept the machine
 * busy, so that the service need not be at fault. A window that meets the objective although it was disturbed meets it.
 *
 * @param errorBudget - Share of the requests that may fail or time out.
 * @param cores - Cores of the machine.
 */
export function judgeWindow(
  window: ProfileWindow,
  {
    objective,
    errorBudget,
    cores,
  }: { readonly objective: LatencyObjective; readonly errorBudget: number; readonly cores: number },
): Judgement {
  const { percentile, latency_ms: limit } = objective;
  const bad = window.failed + window.timed_out;
  const badShare = window.requests === 0 ? 1 : bad / window.requests;
  const said = `p${percentile} ${milliseconds(window.objective_ms)}`;
  if (window.objective_ms <= limit && badShare <= errorBudget && window.requests > 0) {
    return { verdict: "meets", why: `${said}, ${bad} of ${window.requests} failed` };
  }
  const miss = window.why.startsWith("ended early")
    ? `more than ${percentText(100 - percentile)} of the requests took longer than ${milliseconds(limit)}`
    : badShare > errorBudget
      ? `${bad} of ${window.requests} requests failed or timed out (${outcomesText(window)})`
      : `${said} is above ${milliseconds(limit)}`;
  // It used all it may: whatever else went on, there was too little.
  if (window.cpu_limit !== null && (window.cpu_cores ?? 0) >= USED_UP * window.cpu_limit) {
    return { verdict: "misses", why: miss };
  }
  const late = latenessLimitMs(window, limit);
  if (window.load === "open" && window.lateness_p99_ms > late) {
    return {
      verdict: "disturbed",
      why: `${miss}, but the load generator was ${milliseconds(window.lateness_p99_ms)} late`,
    };
  }
  const wanted = (window.cpu_cores ?? 0) + (window.other_cores ?? 0);
  if ((window.other_cores ?? 0) > BEARABLE_OTHER_CORES && wanted > 0.7 * cores) {
    return {
      verdict: "disturbed",
      why: `${miss}, but other processes used ${(window.other_cores ?? 0).toFixed(1)} cores of the machine`,
    };
  }
  return { verdict: "misses", why: miss };
}

/** Whether the window cannot tell: the objective lies within the interval of what was measured. */
export function isClose(window: ProfileWindow, objective: LatencyObjective): boolean {
  const [lower, upper] = window.objective_interval_ms;
  if (window.why.startsWith("ended early")) return false;
  return lower <= objective.latency_ms && (upper === null || upper > objective.latency_ms);
}

/** Whether it held enough requests to speak of the percentile. */
export function hasEnough(window: ProfileWindow, objective: LatencyObjective): boolean {
  return window.requests >= neededRequests(objective.percentile);
}

/** A generator may be late by 1 ms, by a tenth of what is measured, or by a twentieth of the objective. */
export function latenessLimitMs(window: ProfileWindow, objectiveMs: number): number {
  return Math.max(1, 0.1 * Math.min(window.objective_ms, objectiveMs), 0.05 * objectiveMs);
}

export function milliseconds(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms >= 100 ? `${Math.round(ms)} ms` : `${Number(ms.toPrecision(3))} ms`;
}

function percentText(percent: number): string {
  return `${Number(percent.toPrecision(3))} %`;
}

function outcomesText({ outcomes }: ProfileWindow): string {
  return Object.entries(outcomes)
    .map(([what, count]) => `${what}: ${count}`)
    .join(", ");
}
