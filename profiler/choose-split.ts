import type { ThreadTrial } from "../schema/profile.ts";

/** More threads, or instances of several requests in one run, have to answer so much more to be worth them. */
const LEAST_GAIN = 0.1;

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

/**
 * The instances of several requests that go in one run: the batch that was tried when a replica answers at least a tenth
 * more with it, and a single caller within the objective still; otherwise 1.
 */
export function chooseBatch(alone: ThreadTrial, batched: ThreadTrial, objectiveMs: number): number {
  const pays = batched.max_rate > (1 + LEAST_GAIN) * alone.max_rate;
  return pays && batched.p50_ms <= objectiveMs ? batched.batch_size : 1;
}
