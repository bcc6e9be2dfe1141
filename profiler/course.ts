import type { ProfileWindow } from "../schema/profile.ts";
import { cpuSteps } from "./allocation.ts";
import type { Clock } from "./clock.ts";
import type { Surroundings } from "./findings.ts";
import type { Limiter } from "./limiters/limiter.ts";
import { type ProbeParts, windowSeconds } from "./probe.ts";
import { type ProfileRequest, paceOf } from "./profile-request.ts";
import type { Stage } from "./stage.ts";

/**
 * What the steps of one profile share: the stage, the sizes that may be tried, what has been tried, and the budget of
 * time.
 */
export class Course implements ProbeParts {
  readonly request: ProfileRequest;
  readonly stage: Stage;
  readonly limiter: Limiter;
  readonly pace: ProbeParts["pace"];
  /** Cores of the machine. */
  readonly cores: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Sizes of CPU, ascending. */
  readonly steps: readonly number[];
  readonly mostCpu: number;
  /** A memory limit that only keeps the machine itself safe. */
  readonly safeMemoryBytes: number;
  /** The last window under each CPU limit at the rate of a replica. */
  readonly tried = new Map<number, ProfileWindow>();
  memoryKills = 0;
  #budget: "kept" | "used-up" = "kept";
  readonly #startedMs: number;
  readonly #onPhase: Surroundings["onPhase"];

  constructor(
    request: ProfileRequest,
    around: Surroundings,
    {
      limiter,
      stage,
      startedMs,
    }: { readonly limiter: Limiter; readonly stage: Stage; readonly startedMs: number },
  ) {
    this.request = request;
    this.stage = stage;
    this.limiter = limiter;
    const spentMs = around.clock.monotonicMs() - startedMs;
    this.pace = paceOf({ mode: request.mode, budgetMs: request.budgetMs - spentMs });
    this.cores = around.machine.cores;
    this.clock = around.clock;
    this.signal = around.signal;
    this.mostCpu = Math.min(request.maxCpu ?? Number.POSITIVE_INFINITY, around.machine.cores);
    this.steps = cpuSteps(this.mostCpu);
    this.safeMemoryBytes = Math.floor(around.machine.memoryBytes * 0.8);
    this.#startedMs = startedMs;
    this.#onPhase = around.onPhase;
  }

  /** Whether all that was asked for found time. */
  get budget(): "kept" | "used-up" {
    return this.#budget;
  }

  get elapsedSeconds(): number {
    return (this.clock.monotonicMs() - this.#startedMs) / 1_000;
  }

  readonly leftMs = (): number => this.request.budgetMs - 1_000 * this.elapsedSeconds;

  /** Whether the budget has room for so many windows at a rate; remembers when it has not. */
  hasTime(rate: number, windows: number, keepSeconds = 0): boolean {
    const seconds = windowSeconds(rate, this.request.objective.percentile, this.pace);
    if (this.leftMs() > (windows * seconds + keepSeconds) * 1_000) return true;
    this.#budget = "used-up";
    return false;
  }

  /** Tells what is done now. @throws the signal's reason when it is aborted. */
  say(note: string): void {
    this.signal.throwIfAborted();
    this.#onPhase(Math.min(1, 1 - this.leftMs() / this.request.budgetMs), note);
  }
}
