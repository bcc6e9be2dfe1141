import type { ProfileWindow } from "../schema/profile.ts";
import { type FittedLine, fitLine } from "./fit/line.ts";
import { simulateQuota } from "./fit/quota-simulation.ts";
import { type ProbeParts, probe } from "./probe.ts";
import type { Pace, ProfileRequest } from "./profile-request.ts";
import { seededRandom, shuffled } from "./seeded-random.ts";
import type { Stage } from "./stage.ts";

/** More callers are pointless once these many times the target rate is reached. */
const PLENTY = 4;
const LEAST_GAIN = 0.05;

/** What the service does when it may use the whole machine. */
export interface Exploration {
  readonly idleCores: number | undefined;
  /** Closed-loop windows, by concurrency. */
  readonly sweep: readonly ProfileWindow[];
  readonly ladder: readonly ProfileWindow[];
  readonly maxRate: number;
}

/** What one window of callers that wait may use up of the requests: a quick service answers a million in a minute. */
export function closedWindowMost({ maxRequests }: Pick<ProfileRequest, "maxRequests">): number {
  return Math.max(1, Math.floor(maxRequests / 50));
}

/** Closed loop: callers are added until throughput grows no more. */
export async function sweepCallers(
  stage: Stage,
  { request, pace }: { readonly request: ProfileRequest; readonly pace: Pace },
): Promise<ProfileWindow[]> {
  const windows: ProfileWindow[] = [];
  for (const concurrency of pace.sweep) {
    windows.push(
      await stage.run("saturation", {
        kind: "closed",
        concurrency,
        durationMs: pace.sweepSeconds * 1_000,
        most: closedWindowMost(request),
      }),
    );
    const rates = windows.map(({ achieved_rate }) => achieved_rate);
    const best = Math.max(...rates);
    const bestBefore = Math.max(...rates.slice(0, -2));
    const stale = windows.length > 3 && best < bestBefore * (1 + LEAST_GAIN);
    const failing = windows.at(-1)?.ok !== windows.at(-1)?.requests;
    if (stale || failing || (windows.length >= 4 && best > PLENTY * request.rate)) break;
  }
  return windows;
}

/** Open loop at shares of the target, in random order, so that a machine that grows warm or busy bends no curve. */
export async function climbLadder(parts: ProbeParts, maxRate: number): Promise<ProfileWindow[]> {
  const { request, pace } = parts;
  const rates = pace.ladder.map((share) => share * request.rate).filter((rate) => rate < 0.9 * maxRate);
  const order = shuffled(
    rates.length > 0 ? rates : [0.25 * maxRate, 0.6 * maxRate],
    seededRandom(request.seed),
  );
  const windows: ProfileWindow[] = [];
  for (const rate of order)
    windows.push(await probe(parts, { phase: "ladder", rate, limits: parts.stage.limits }));
  return windows.sort((a, b) => (a.rate ?? 0) - (b.rate ?? 0));
}

/** The utilisation law through idle and the ladder; undefined when nothing was metered. */
export function fitDemand(
  idleCores: number | undefined,
  ladder: readonly ProfileWindow[],
): FittedLine | undefined {
  const points = ladder.flatMap(({ achieved_rate, cpu_cores, seconds }) =>
    cpu_cores === null ? [] : [{ x: achieved_rate, y: cpu_cores, weight: seconds }],
  );
  if (points.length === 0) return undefined;
  return fitLine([...points, { x: 0, y: idleCores ?? 0, weight: 1 }]);
}

/**
 * The cores in use at a rate: between measured rates by straight lines (the curve of a server that handles several
 * requests per wake-up is concave), beyond them along the fitted line.
 */
export function coresAt(
  rate: number,
  {
    idleCores = 0,
    ladder,
    line,
  }: {
    readonly idleCores?: number | undefined;
    readonly ladder: readonly ProfileWindow[];
    readonly line: FittedLine;
  },
): number {
  const points = [
    { x: 0, y: idleCores },
    ...ladder.flatMap((window) =>
      window.cpu_cores === null ? [] : [{ x: window.achieved_rate, y: window.cpu_cores }],
    ),
  ];
  for (const [i, b] of points.entries()) {
    const a = points[i - 1];
    if (a && rate <= b.x && b.x > a.x) return a.y + ((rate - a.x) / (b.x - a.x)) * (b.y - a.y);
  }
  const last = points.at(-1) ?? { x: 0, y: 0 };
  return Math.max(0, last.y + Math.max(0, line.slope) * (rate - last.x));
}

/** The smallest step at which the simulated service meets the objective; the largest step when none does. */
export function predictCpu({
  steps,
  rate,
  cores,
  exploration,
  request,
}: {
  readonly steps: readonly number[];
  readonly rate: number;
  /** In use at this rate. */
  readonly cores: number;
  readonly exploration: Exploration;
  readonly request: ProfileRequest;
}): number {
  const { percentile, latency_ms } = request.objective;
  const demandMs = (1_000 * cores) / rate;
  const light = exploration.ladder[0];
  const waitMs = Math.max(0, (light?.service_p50_ms ?? 0) - demandMs);
  const mostCores = Math.max(1, ...exploration.sweep.map(({ cpu_cores }) => cpu_cores ?? 0));
  const parallel = Math.max(1, Math.ceil(mostCores - 0.2));
  const found = steps.find((cpu) => {
    if (cpu < cores) return false;
    const latencies = simulateQuota({
      service: { demandMs, waitMs, parallel: Math.max(parallel, waitMs > demandMs ? 16 : 1) },
      cpu,
      rate,
      requests: 2_000,
      seed: request.seed,
    });
    return (latencies[Math.ceil((latencies.length * percentile) / 100) - 1] ?? 0) <= latency_ms;
  });
  return found ?? (steps.at(-1) as number); // there are steps
}
