import type { ThreadTrial } from "../schema/profile.ts";
import { chooseBatch, chooseThreads, replicaCounts } from "./choose-split.ts";
import { closedWindowMost } from "./explore.ts";
import type { Surroundings } from "./findings.ts";
import type { Limiter } from "./limiters/limiter.ts";
import { LoadGenerator } from "./load-generator.ts";
import { medianOf } from "./median.ts";
import type { Candidate, ProfileRequest } from "./profile-request.ts";
import { Stage } from "./stage.ts";
import { startCandidate } from "./targets/start-candidate.ts";
import { warmUp } from "./warm-up.ts";
import { round } from "./window-result.ts";

const CALLERS_PER_REPLICA = 16;

/** One way of splitting the machine's cores among replicas of a model. */
export interface Variant {
  readonly threads: number;
  /** Instances of several requests in one run; 1: each request by itself. */
  readonly batchSize: number;
  readonly candidate: Candidate;
}

/** What came of trying. */
export interface Split {
  readonly trials: readonly ThreadTrial[];
  readonly variant: Variant;
  /** Instances of several requests in one run; 1: each by itself; undefined: not tried. */
  readonly batchSize: number | undefined;
}

/**
 * Tries threads and replicas whose product the machine's cores can bear: each is started, warmed up and loaded by callers
 * that wait, replicas side by side. Then the threads that did best are tried with instances of several requests in one run.
 *
 * @param variants - At least one without a batch.
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
): Promise<Split> {
  const trials: ThreadTrial[] = [];
  const attempt = async (variant: Variant, replicas: number) => {
    around.onPhase(0, `trying ${wordsFor(variant, replicas)}`);
    const trial = await trySplit(request, around, { limiter, generator, variant, replicas });
    trials.push(trial);
    return trial;
  };
  const plain = variants.filter(({ batchSize }) => batchSize === 1);
  for (const variant of plain) {
    // In quick mode there is no time for more than one replica of each; and with given threads it decides nothing.
    const one = request.mode === "quick" || plain.length === 1;
    const counts = one ? [1] : replicaCounts(around.machine.cores, variant.threads);
    for (const replicas of counts) await attempt(variant, replicas);
  }
  const objectiveMs = request.objective.latency_ms;
  const threads = chooseThreads(trials, objectiveMs);
  const chosen = plain.find((variant) => variant.threads === threads) ?? plain[0];
  if (!chosen) throw new TypeError("sweepThreads: no variant without a batch");
  const batched = variants.find((variant) => variant.threads === threads && variant.batchSize > 1);
  const alone = trials.find((trial) => trial.threads === threads && trial.replicas === 1);
  if (!batched || !alone) return { trials, variant: chosen, batchSize: undefined };
  const batchSize = chooseBatch(alone, await attempt(batched, 1), objectiveMs);
  return { trials, variant: batchSize > 1 ? batched : chosen, batchSize };
}

function wordsFor({ threads, batchSize }: Variant, replicas: number): string {
  const batch = batchSize > 1 ? `, up to ${batchSize} instances in a run` : "";
  return `${threads} ${threads === 1 ? "thread" : "threads"} in ${replicas} ${replicas === 1 ? "replica" : "replicas"}${batch}`;
}

async function trySplit(
  request: ProfileRequest,
  around: Surroundings,
  {
    limiter,
    generator: first,
    variant: { threads, batchSize, candidate },
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
          stage.load("saturation", {
            kind: "closed",
            concurrency,
            durationMs,
            most: Math.ceil(closedWindowMost(request) / replicas),
          }),
        ),
      );
    const seconds = quick ? ([1, 1] as const) : ([2, 5] as const);
    await Promise.all(
      stages.map((stage) =>
        warmUp(stage, { seconds, maxRequests: request.maxRequests / 10 / replicas, clock }),
      ),
    );
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
      batch_size: batchSize,
      max_rate: round(busy.reduce((sum, { achieved_rate }) => sum + achieved_rate, 0)),
      p50_ms: round(medianOf(alone.map(({ latency_ms }) => latency_ms.p50)) ?? 0),
      cpu_ms_per_request: answered === 0 ? null : round((1_000 * usedSeconds) / answered),
    };
  } finally {
    for (const close of closers.reverse()) await close();
  }
}
