import { profileSurroundings } from "../app/profile-surroundings.ts";
import { cpuSteps } from "../profiler/allocation.ts";
import { judgeWindow } from "../profiler/judge-window.ts";
import { chooseLimiter } from "../profiler/limiters/choose-limiter.ts";
import type { Limits } from "../profiler/limiters/limiter.ts";
import { LoadGenerator } from "../profiler/load-generator.ts";
import type { ProfileRequest } from "../profiler/profile-request.ts";
import { ServiceDied, Stage } from "../profiler/stage.ts";
import { startCandidate } from "../profiler/targets/start-candidate.ts";
import { warmUp } from "../profiler/warm-up.ts";

const MIB = 1024 * 1024;
const MEMORY_STEP = 16 * MIB;
/** So many steps in a row have to meet the objective before the first of them is believed. */
const IN_A_ROW = 2;

/** What brute force found. */
export interface Truth {
  /** Smallest CPU limit that meets the objective, and that the next larger one meets too; null: none. */
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
 * Tries one CPU limit after the other from the smallest, each with a fresh service and a long window, then one memory
 * limit after the other downwards. Slow, and takes nothing from what a profile calculates.
 */
export async function bruteForce(
  request: ProfileRequest,
  { seconds, memoryFrom }: { readonly seconds: number; readonly memoryFrom: number },
): Promise<Truth> {
  const around = profileSurroundings(new AbortController().signal, () => undefined);
  const { tree, clock, signal, env, machine } = around;
  const { limiter } = await chooseLimiter(tree, (ms) => clock.pause(ms));
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
  const load = async (start: Limits, limits: Limits, turn: number) => {
    await stage.start(start);
    await warmUp(stage, { seconds: [3, 10], maxRequests: 1e6, clock });
    await stage.limit(limits);
    await clock.pause(500);
    const { rate, arrivals, seed } = request;
    const window = await stage.run("verification", {
      kind: "open",
      rate,
      arrivals,
      seed: seed + 7_919 * turn,
      durationMs: seconds * 1_000,
      most: 1e6,
    });
    return { window, ...judgeWindow(window, { ...request, cores: machine.cores }) };
  };
  try {
    const cpu_trials: Truth["cpu_trials"][number][] = [];
    for (const cpu of cpuSteps(machine.cores)) {
      const { window, verdict } = await load({}, { cpu }, cpu_trials.length);
      cpu_trials.push({ cpu, objective_ms: window.objective_ms, verdict });
      process.stdout.write(`    ${cpu} cores: ${Math.round(window.objective_ms)} ms, ${verdict}\n`);
      if (cpu_trials.slice(-IN_A_ROW).filter((trial) => trial.verdict === "meets").length === IN_A_ROW) break;
    }
    const met = cpu_trials.slice(-IN_A_ROW)[0];
    const cpu = met?.verdict === "meets" ? met.cpu : null;
    const memory_trials: Truth["memory_trials"][number][] = [];
    let survives: number | null = null;
    const enough = cpu === null ? undefined : Math.min(machine.cores, cpu + 0.5);
    for (let bytes = memoryFrom; bytes > 0; bytes -= MEMORY_STEP) {
      const outcome = await load({ memoryBytes: bytes }, { cpu: enough, memoryBytes: bytes }, 0).then(
        () => "survives" as const,
        (error: unknown) => {
          if (error instanceof ServiceDied && error.cause_of_death === "out-of-memory")
            return "killed" as const;
          if (error instanceof Error && /killed|137|SIGKILL/i.test(error.message)) return "killed" as const;
          throw error;
        },
      );
      memory_trials.push({ memory_bytes: bytes, outcome });
      process.stdout.write(`    ${Math.round(bytes / MIB)} MiB: ${outcome}\n`);
      if (outcome === "killed") break;
      survives = bytes;
    }
    return { cpu, memory_bytes: survives, cpu_trials, memory_trials };
  } finally {
    await stage.stop();
    await generator.close();
  }
}
