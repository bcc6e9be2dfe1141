import type { ProfilePhase, ProfileWindow } from "../schema/profile.ts";
import { neededRequests } from "./fit/percentile-interval.ts";
import { isClose, judgeWindow } from "./judge-window.ts";
import { decodeHistogram, encodeHistogram, mergeHistograms, percentileMs } from "./latency-histogram.ts";
import type { Limits } from "./limiters/limiter.ts";
import type { Pace, ProfileRequest } from "./profile-request.ts";
import type { Stage } from "./stage.ts";
import { percentileInterval } from "./window-result.ts";

/** What is needed to ask a service whether it meets the objective. */
export interface ProbeParts {
  readonly stage: Stage;
  readonly request: ProfileRequest;
  readonly pace: Pace;
  readonly cores: number;
  /** Milliseconds of the budget that are left. */
  readonly leftMs: () => number;
}

/** How long a window has to be for so many requests that the percentile means something, within the pace. */
export function windowSeconds(
  rate: number,
  percentile: number,
  { windowSeconds: [least, most] }: Pace,
): number {
  return Math.min(most, Math.max(least, (1.2 * neededRequests(percentile)) / rate));
}

/**
 * One open-loop window at a rate and under limits, judged. A window that was disturbed is measured once more and the
 * first one set aside; one that comes out close to the objective is measured once more and judged together with it.
 */
export async function probe(
  { stage, request, pace, cores, leftMs }: ProbeParts,
  {
    phase,
    rate,
    limits,
    seconds = windowSeconds(rate, request.objective.percentile, pace),
    again = "if-doubtful",
  }: {
    readonly phase: ProfilePhase;
    readonly rate: number;
    readonly limits: Limits;
    readonly seconds?: number;
    /** `never`: what was disturbed or is close is not measured once more. */
    readonly again?: "if-doubtful" | "never";
  },
): Promise<ProfileWindow> {
  const { objective, errorBudget, arrivals, seed } = request;
  await stage.limit(limits);
  const measure = async (turn: number): Promise<ProfileWindow> => {
    const expected = rate * seconds;
    const window = await stage.run(phase, {
      kind: "open",
      rate,
      arrivals,
      seed: seed + turn * 1_000_003 + stage.windows.length,
      durationMs: seconds * 1_000,
      most: request.maxRequests,
      hopeless: {
        slowMs: objective.latency_ms,
        mostSlow: Math.ceil(2 * expected * (1 - objective.percentile / 100)) + 5,
      },
    });
    const judged = { ...window, ...judgeWindow(window, { objective, errorBudget, cores }) };
    stage.windows[stage.windows.length - 1] = judged;
    return judged;
  };
  const first = await measure(0);
  const timeForMore = leftMs() > 3 * seconds * 1_000;
  if (!timeForMore || again === "never") return first;
  if (first.verdict === "disturbed") return measure(1);
  if (!isClose(first, objective) || request.mode === "quick") return first;
  const second = await measure(1);
  const merged = merge(first, second, objective.percentile);
  return { ...merged, ...judgeWindow(merged, { objective, errorBudget, cores }) };
}

/** Two windows as if they were one; of what was read, the worse. */
export function merge(a: ProfileWindow, b: ProfileWindow, percentile: number): ProfileWindow {
  const histogram = mergeHistograms([decodeHistogram(a.histogram), decodeHistogram(b.histogram)]);
  const encoded = encodeHistogram(histogram);
  const at = (share: number) => percentileMs(histogram, share);
  return {
    ...b,
    why: "",
    seconds: a.seconds + b.seconds,
    requests: a.requests + b.requests,
    ok: a.ok + b.ok,
    failed: a.failed + b.failed,
    timed_out: a.timed_out + b.timed_out,
    achieved_rate: (a.ok + b.ok) / (a.seconds + b.seconds),
    latency_ms: {
      mean: histogram.mean / 1_000,
      p50: at(50),
      p90: at(90),
      p95: at(95),
      p99: at(99),
      p999: at(99.9),
      max: histogram.maxValue / 1_000,
    },
    objective_ms: at(percentile),
    objective_interval_ms: percentileInterval(encoded, percentile),
    lateness_p99_ms: Math.max(a.lateness_p99_ms, b.lateness_p99_ms),
    other_cores: Math.max(a.other_cores ?? 0, b.other_cores ?? 0),
    histogram: encoded,
  };
}
