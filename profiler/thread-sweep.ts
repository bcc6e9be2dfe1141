import type { ThreadTrial } from "../schema/profile.ts";
import type { Surroundings } from "./findings.ts";
import type { Limiter } from "./limiters/limiter.ts";
import { LoadGenerator } from "./load-generator.ts";
import { medianOf } from "./median.ts";
import type { Candidate, ProfileRequest } from "./profile-request.ts";
import { Stage } from "./stage.ts";
import { startCandidate } from "./targets/start-candidate.ts";
import { warmUp } from "./warm-up.ts";
import { round } from "./window-result.ts";

const CALLERS_PER_REPLICA = 4;
/** More threads have to answer so much more to be worth them. */
const LEAST_GAIN = 0.1;

/** One way of splitting the machine's cores among replicas of a model. */
export interface Variant {
  readonly threads: number;
  readonly candidate: Candidate;
}

/**
 * Tries threads and replicas whose product the machine's cores can bear: each is started, warmed up and loaded by callers
 * that wait, replicas side by side.
 *
 * @returns what each came to, in the order tried.
 */
export async function sweepThreads(
  request: ProfileRequest,
  around: Surroundings,
  {
    limiter,
    generator,
    variants,
  }: {
    readonly limiter: Limiter;
    readonly generator: LoadGenerator;
    readonly variants: readonly Variant[];
  },
): Promise<readonly ThreadTrial[]> {
  const trials: ThreadTrial[] = [];
  for (const variant of variants) {
    const counts = replicaCounts(around.machine.cores, variant.threads);
    // In quick mode there is no time for more than one replica of each.
    for (const replicas of request.mode === "quick" ? [1] : counts) {
      around.onPhase(
        0,
        `trying ${variant.threads} ${variant.threads === 1 ? "thread" : "threads"} in ${replicas} ${replicas === 1 ? "replica" : "replicas"}`,
      );
      trials.push(await trySplit(request, around, { limiter, generator, variant, replicas }));
    }
  }
  return trials;
}

/** 1, and as many as the cores bear with so many threads each. */
export function replicaCounts(cores: number, threads: number): number[] {
  return [...new Set([1, Math.max(1, Math.floor(cores / threads))])];
}

/** 1, 2, 4 … up to the cores, and the cores themselves. */
export function threadCounts(cores: number): number[] {
  const counts: number[] = [];
  for (let threads = 1; threads < cores; threads *= 2) counts.push(threads);
  return [...counts, Math.max(1, cores)].filter((threads, i, all) => all.indexOf(threads) === i);
}

/**
 * The threads to recommend: those with which the machine answers most, however it is split into replicas; fewer when more
 * gain less than a tenth. Those with which a single caller already waits longer than the objective do not count, as
 * long as there are others.
 */
export function chooseThreads(trials: readonly ThreadTrial[], objectiveMs: number): number | undefined {
  const quick = trials.filter(({ p50_ms }) => p50_ms <= objectiveMs);
  if (quick.length === 0)
    return trials.toSorted((a, b) => a.p50_ms - b.p50_ms || a.threads - b.threads)[0]?.threads;
  let chosen: { readonly threads: number; readonly rate: number } | undefined;
  for (const threads of [...new Set(quick.map((trial) => trial.threads))].sort((a, b) => a - b)) {
    const rate = Math.max(
      ...quick.filter((trial) => trial.threads === threads).map(({ max_rate }) => max_rate),
    );
    if (!chosen || rate > (1 + LEAST_GAIN) * chosen.rate) chosen = { threads, rate };
  }
  return chosen?.threads;
}

async function trySplit(
  request: ProfileRequest,
  around: Surroundings,
  {
    limiter,
    generator: first,
    variant: { threads, candidate },
    replicas,
  }: {
    readonly limiter: Limiter;
    readonly generator: LoadGenerator;
    readonly variant: Variant;
    readonly replicas: number;
  },
): Promise<ThreadTrial> {
  const { tree, clock, signal, env, machine } = around;
  const quick = request.mode === "quick";
  const closers: (() => Promise<unknown>)[] = [];
  const share = { requests: Math.floor(first.left.requests / replicas), ms: first.left.ms };
  const open = async (at: number) => {
    // One generator aims at one address; whatever the others send counts as sent by the first.
    const generator = at === 0 ? first : await LoadGenerator.start(share);
    if (generator !== first)
      closers.push(async () => {
        first.countSent(generator.sent);
        await generator.close();
      });
    const stage = new Stage({
      limiter,
      generator,
      load: request.load,
      objective: request.objective,
      tree,
      clock,
      signal,
      start: (wrap) => startCandidate(candidate, { wrap, env, tree, clock, signal }),
    });
    closers.push(() => stage.stop());
    await stage.start({ memoryBytes: Math.floor((machine.memoryBytes * 0.8) / replicas) });
    return stage;
  };
  try {
    const stages: Stage[] = [];
    for (let i = 0; i < replicas; i += 1) stages.push(await open(i));
    const all = (concurrency: number, durationMs: number) =>
      Promise.all(
        stages.map((stage) =>
          stage.load("saturation", { kind: "closed", concurrency, durationMs, most: share.requests }),
        ),
      );
    const seconds = quick ? ([1, 1] as const) : ([2, 5] as const);
    await Promise.all(stages.map((stage) => warmUp(stage, { seconds, maxRequests: share.requests, clock })));
    const alone = await all(1, quick ? 700 : 1_500);
    const busy = await all(CALLERS_PER_REPLICA, quick ? 1_000 : 2_500);
    const answered = busy.reduce((sum, { ok }) => sum + ok, 0);
    const usedSeconds = busy.reduce(
      (sum, { cpu_cores, seconds: length }) => sum + (cpu_cores ?? 0) * length,
      0,
    );
    return {
      threads,
      replicas,
      max_rate: round(busy.reduce((sum, { achieved_rate }) => sum + achieved_rate, 0)),
      p50_ms: round(medianOf(alone.map(({ latency_ms }) => latency_ms.p50)) ?? 0),
      cpu_ms_per_request: answered === 0 ? null : round((1_000 * usedSeconds) / answered),
    };
  } finally {
    for (const close of closers.reverse()) await close();
  }
}
