import { ServiceError } from "../schema/errors.ts";
import type { ProfileComparison, ProfileWindow } from "../schema/profile.ts";
import type { Surroundings } from "./findings.ts";
import { type PairedDifference, pairedBootstrap } from "./fit/bootstrap.ts";
import { chooseLimiter } from "./limiters/choose-limiter.ts";
import type { Limits } from "./limiters/limiter.ts";
import { LoadGenerator } from "./load-generator.ts";
import type { Candidate, ProfileRequest } from "./profile-request.ts";
import { seededRandom } from "./seeded-random.ts";
import { ServiceDied, Stage } from "./stage.ts";
import { startCandidate } from "./targets/start-candidate.ts";
import { warmUp } from "./warm-up.ts";
import { round } from "./window-result.ts";

/** One of the two that are compared. */
export interface Contender {
  readonly name: string;
  readonly candidate: Candidate;
  readonly load: ProfileRequest["load"];
}

export interface CompareRequest
  extends Pick<ProfileRequest, "rate" | "objective" | "arrivals" | "maxRequests" | "limiter" | "seed"> {
  readonly a: Contender;
  readonly b: Contender;
  /** Pairs of windows, at least 3. */
  readonly pairs: number;
  readonly windowMs: number;
  /** Both run under the same. */
  readonly limits: Limits;
}

/** A figure of a window that is compared; undefined when it was not measured. */
const FIGURES: readonly {
  readonly name: ProfileComparison["figures"][number]["name"];
  readonly unit: string;
  readonly of: (window: ProfileWindow) => number | undefined;
}[] = [
  { name: "p50", unit: "ms", of: ({ latency_ms }) => latency_ms.p50 },
  { name: "objective", unit: "ms", of: ({ objective_ms }) => objective_ms },
  {
    name: "cpu_per_request",
    unit: "ms",
    of: ({ cpu_cores, seconds, ok }) =>
      cpu_cores === null || ok === 0 ? undefined : (1_000 * cpu_cores * seconds) / ok,
  },
  {
    name: "memory",
    unit: "MiB",
    of: ({ held_peak_bytes }) => (held_peak_bytes === null ? undefined : held_peak_bytes / 1024 / 1024),
  },
  { name: "failed_share", unit: "", of: ({ requests, ok }) => (requests === 0 ? 1 : 1 - ok / requests) },
];

/**
 * Runs two services side by side and loads them in turns, window by window: each pair gets the very same arrivals, in an
 * order drawn at random, so that what changes on the machine meets both. Says for each figure whether the difference is
 * real, or that there is none to be seen.
 */
export async function compareCandidates(
  request: CompareRequest,
  around: Surroundings,
): Promise<ProfileComparison> {
  const { tree, clock, signal, env } = around;
  const { limiter } = await chooseLimiter(tree, (ms) => clock.pause(ms), request.limiter);
  const generator = await LoadGenerator.start({ requests: request.maxRequests, ms: 3_600_000 });
  const stages = ([request.a, request.b] as const).map(
    ({ candidate, load }) =>
      new Stage({
        limiter,
        generator,
        load,
        objective: request.objective,
        tree,
        clock,
        signal,
        start: (wrap) => startCandidate(candidate, { wrap, env, tree, clock, signal }),
      }),
  );
  const [a, b] = stages as [Stage, Stage]; // made from two
  try {
    for (const [stage, { name }] of [[a, request.a] as const, [b, request.b] as const]) {
      around.onPhase(0, `warming up ${name}`);
      await stage.start(request.limits);
      await warmUp(stage, { seconds: [2, 8], maxRequests: request.maxRequests, clock });
    }
    const random = seededRandom(request.seed);
    const pairs: { a: ProfileWindow; b: ProfileWindow }[] = [];
    for (let pair = 0; pair < request.pairs; pair += 1) {
      around.onPhase(pair / request.pairs, `pair ${pair + 1} of ${request.pairs}`);
      const first = random() < 0.5 ? "a" : "b";
      const one = await measure(first === "a" ? a : b, pair, request);
      const other = await measure(first === "a" ? b : a, pair, request);
      pairs.push(first === "a" ? { a: one, b: other } : { a: other, b: one });
    }
    return comparison(request, pairs, { limiter: limiter.kind, leewayVersion: around.leewayVersion });
  } catch (error) {
    if (error instanceof ServiceDied) throw new ServiceError("upstream-failed", error.message);
    throw error;
  } finally {
    await Promise.allSettled([a.stop(), b.stop()]);
    await generator.close();
  }
}

function measure(stage: Stage, pair: number, request: CompareRequest): Promise<ProfileWindow> {
  return stage.run("compare", {
    kind: "open",
    rate: request.rate,
    arrivals: request.arrivals,
    seed: request.seed + pair, // the same for both
    durationMs: request.windowMs,
    most: request.maxRequests,
  });
}

/** The verdict on every figure that was measured in all windows. */
export function comparison(
  request: Pick<CompareRequest, "a" | "b" | "rate" | "objective" | "seed">,
  pairs: readonly { readonly a: ProfileWindow; readonly b: ProfileWindow }[],
  { limiter, leewayVersion }: { readonly limiter: string; readonly leewayVersion: string },
): ProfileComparison {
  const random = seededRandom(request.seed);
  const figures = FIGURES.flatMap(({ name, unit, of }) => {
    const values = pairs.flatMap((pair) => {
      const [a, b] = [of(pair.a), of(pair.b)];
      return a === undefined || b === undefined ? [] : [{ a, b }];
    });
    if (values.length < pairs.length) return [];
    const difference = pairedBootstrap(values, random);
    const mean = (side: "a" | "b") => values.reduce((sum, value) => sum + value[side], 0) / values.length;
    return [
      {
        name,
        unit,
        a: round(mean("a")),
        b: round(mean("b")),
        difference: round(difference.mean),
        interval: [round(difference.interval[0]), round(difference.interval[1])] as [number, number],
        verdict: verdictOf(difference, mean("a")),
      },
    ];
  });
  return {
    a: request.a.name,
    b: request.b.name,
    rate: request.rate,
    objective: request.objective,
    pairs: pairs.length,
    limiter,
    leeway_version: leewayVersion,
    figures,
    windows: pairs.flatMap((pair) => [
      { side: "a" as const, ...pair.a },
      { side: "b" as const, ...pair.b },
    ]),
  };
}

/** Less than a hundredth is called no difference even when it is certain: nobody chooses a service for that. */
function verdictOf({ verdict, mean }: PairedDifference, a: number): PairedDifference["verdict"] {
  return Math.abs(mean) < 0.01 * Math.abs(a) ? "no-difference" : verdict;
}
