import { profileSurroundings } from "../app/profile-surroundings.ts";
import { cpuSteps } from "../profiler/allocation.ts";
import { neededRequests } from "../profiler/fit/percentile-interval.ts";
import { judgeWindow } from "../profiler/judge-window.ts";
import { chooseLimiter } from "../profiler/limiters/choose-limiter.ts";
import type { Limits } from "../profiler/limiters/limiter.ts";
import { LoadGenerator } from "../profiler/load-generator.ts";
import type { ProfileRequest } from "../profiler/profile-request.ts";
import { ServiceDied, Stage } from "../profiler/stage.ts";
import { startCandidate } from "../profiler/targets/start-candidate.ts";
import { warmUp } from "../profiler/warm-up.ts";
import { cheapestCell } from "./profiler-truth-search.ts";

const MIB = 1024 * 1024;
const MEMORY_STEP = 16 * MIB;
/** Times that the two cells at the edge are measured; the majority counts. */
const TIMES_AT_EDGE = 3;
/** A disturbed window is measured again so often before it counts as missed. */
const DISTURBED_AGAIN = 2;

/** What trying out every size would have found. */
export interface Truth {
  /** Smallest CPU limit that meets the objective; null: none. */
  readonly cpu: number | null;
  /** Smallest memory limit under which the service outlives start, warm-up and load. */
  readonly memory_bytes: number | null;
  readonly cpu_trials: readonly {
    readonly cpu: number;
    readonly objective_ms: number;
    readonly verdict: string;
  }[];
  readonly memory_trials: readonly {
    readonly memory_bytes: number;
    readonly outcome: "survives" | "killed";
  }[];
}

/**
 * The cheapest cells of a grid of limits, each measured with long windows. More CPU or memory never makes a service
 * worse, so the grid is searched by halves; what lies at the edge is measured three times. Takes nothing from what a
 * profile calculates.
 *
 * @param memoryMost - Where the search for memory begins; has to be survived.
 */
export async function bruteForce(
  request: ProfileRequest,
  { seconds, memoryMost }: { readonly seconds: number; readonly memoryMost: number },
): Promise<Truth> {
  const around = profileSurroundings(new AbortController().signal, () => undefined);
  const { tree, clock, signal, env, machine } = around;
  const { limiter } = await chooseLimiter(tree, (ms) => clock.pause(ms));
  if (limiter.cpu !== "quota") throw new Error("the truth needs limits to parts of a core: run it as root");
  const generator = await LoadGenerator.start({ requests: 1e9, ms: 1e9 });
  const stage = new Stage({
    limiter,
    generator,
    load: request.load,
    objective: request.objective,
    tree,
    clock,
    signal,
    start: (wrap) => startCandidate(request.candidate, { wrap, env, tree, clock, signal }),
  });
  const { rate, arrivals, seed, objective } = request;
  const windowMs = 1_000 * Math.max(seconds, (1.2 * neededRequests(objective.percentile)) / rate);
  let turn = 0;
  const load = async (limits: Limits, durationMs: number) => {
    await stage.limit(limits);
    await clock.pause(500);
    turn += 1;
    const expected = (rate * durationMs) / 1_000;
    const mostSlow = Math.ceil(2 * expected * (1 - objective.percentile / 100)) + 5;
    const window = await stage.run("verification", {
      kind: "open",
      rate,
      arrivals,
      seed: seed + 7_919 * turn,
      durationMs,
      most: 1e6,
      hopeless: { slowMs: objective.latency_ms, mostSlow },
    });
    return { window, ...judgeWindow(window, { ...request, cores: machine.cores }) };
  };
  const startWarm = async (limits: Limits) => {
    await stage.start(limits);
    await warmUp(stage, { seconds: [3, 8], maxRequests: 1e6, clock });
  };
  try {
    const cpu_trials: Truth["cpu_trials"][number][] = [];
    await startWarm({});
    const cpu = await cheapestCell({
      cells: cpuSteps(machine.cores),
      timesAtEdge: TIMES_AT_EDGE,
      holds: async (cores) => {
        for (let again = 0; ; again += 1) {
          const { window, verdict } = await load({ cpu: cores }, windowMs);
          cpu_trials.push({ cpu: cores, objective_ms: window.objective_ms, verdict });
          process.stdout.write(`    ${cores} cores: ${Math.round(window.objective_ms)} ms, ${verdict}\n`);
          if (verdict !== "disturbed" || again >= DISTURBED_AGAIN) return verdict === "meets";
        }
      },
    });
    const memory_trials: Truth["memory_trials"][number][] = [];
    const enough = cpu === undefined ? undefined : Math.min(machine.cores, cpu + 0.5);
    const sizes = Array.from(
      { length: Math.ceil(memoryMost / MEMORY_STEP) },
      (_, i) => (i + 1) * MEMORY_STEP,
    );
    const memory = await cheapestCell({
      cells: sizes,
      timesAtEdge: 1,
      holds: async (memoryBytes) => {
        const outcome = await survives(async () => {
          await startWarm({ memoryBytes });
          await load({ cpu: enough, memoryBytes }, windowMs / 2);
        });
        memory_trials.push({ memory_bytes: memoryBytes, outcome });
        process.stdout.write(`    ${Math.round(memoryBytes / MIB)} MiB: ${outcome}\n`);
        return outcome === "survives";
      },
    });
    return { cpu: cpu ?? null, memory_bytes: memory ?? null, cpu_trials, memory_trials };
  } finally {
    await stage.stop();
    await generator.close();
  }
}

/** Whether the service outlived the work, or was killed for want of memory. */
async function survives(work: () => Promise<unknown>): Promise<"survives" | "killed"> {
  try {
    await work();
    return "survives";
  } catch (error) {
    if (error instanceof ServiceDied && error.cause_of_death === "out-of-memory") return "killed";
    if (error instanceof Error && /killed|137|SIGKILL/i.test(error.message)) return "killed";
    throw error;
  }
}
