import { stepAbove } from "./allocation.ts";
import type { Course } from "./course.ts";
import type { Limits } from "./limiters/limiter.ts";
import { NotReady } from "./targets/start-command.ts";
import { warmUp } from "./warm-up.ts";

/** Of what is left of the budget, so much may be spent on one start under a CPU limit. */
const SHARE_FOR_START = 0.3;
/** A start that is calculated to take more of the time it may take than this is not recommended. */
const SAFE_SHARE = 0.8;

/** How the service starts. */
export interface StartUp {
  /** With all cores; undefined for a service that was not started here. */
  readonly readyMs: number | undefined;
  /** CPU time that it used until it was ready. */
  readonly cpuSeconds: number | undefined;
  /** Under the recommended limits. */
  readonly underLimits: {
    readonly readyMs: number | undefined;
    /** `calculated`: trying it would have taken too much of the budget. */
    readonly how: "tried" | "calculated" | "not-limited";
  };
  /** CPU that the load alone asks for, when the start asks for more. */
  readonly raisedFrom: number | undefined;
}

/**
 * The smallest CPU step under which the service gets ready in time, by its CPU time: at a tenth of a core, a second of
 * CPU time takes ten. At least `cpu`; the largest step when none is enough.
 */
export function cpuToStart(
  steps: readonly number[],
  {
    cpu,
    cpuSeconds,
    withinMs,
  }: { readonly cpu: number; readonly cpuSeconds: number; readonly withinMs: number },
): number {
  const enough = steps.find(
    (step) => step >= cpu - 1e-9 && (1_000 * cpuSeconds) / step <= SAFE_SHARE * withinMs,
  );
  return enough ?? Math.max(cpu, steps.at(-1) ?? cpu);
}

/**
 * The service afresh and warm under limits. Starts it with both limits on, as it would start in production; a start that
 * would take more of the budget than there is gets its memory limited only. It is warmed up with all cores: a runtime that compiles
 * as it goes takes minutes for that on a tenth of one.
 *
 * @returns the CPU limit it did get ready under in time, which is larger when the one asked for was not enough, and how long it took.
 * @throws ServiceDied when the memory was not enough to start.
 */
export async function startUnderLimits(
  course: Course,
  {
    cpu: wanted,
    memoryBytes,
    readyMs,
    cpuSeconds,
  }: {
    readonly cpu: number;
    readonly memoryBytes: number;
    readonly readyMs: number | undefined;
    readonly cpuSeconds: number | undefined;
  },
): Promise<{ readonly cpu: number; readonly underLimits: StartUp["underLimits"] }> {
  const { stage, request, clock, mostCpu, steps } = course;
  const withinMs = request.candidate.kind === "command" ? request.candidate.readyTimeoutMs : 0;
  const whole: Limits = { cpu: mostCpu, memoryBytes };
  const warm = async (cpu: number) => {
    await stage.limit(whole);
    const seconds = request.mode === "quick" ? ([1, 3] as const) : ([2, 8] as const);
    await warmUp(stage, { seconds, maxRequests: request.maxRequests, clock });
    await stage.limit({ cpu, memoryBytes });
    await clock.pause(course.pace.idleMs / 2, course.signal);
  };
  if (course.limiter.cpu !== "quota" || cpuSeconds === undefined) {
    await stage.start(whole);
    await warm(wanted);
    return { cpu: wanted, underLimits: { readyMs: undefined, how: "not-limited" } };
  }
  let cpu = cpuToStart(steps, { cpu: wanted, cpuSeconds, withinMs });
  for (;;) {
    const calculatedMs = Math.max(readyMs ?? 0, (1_000 * cpuSeconds) / cpu);
    if (calculatedMs > SHARE_FOR_START * course.leftMs()) {
      await stage.start(whole);
      await warm(cpu);
      return { cpu, underLimits: { readyMs: calculatedMs, how: "calculated" } };
    }
    try {
      course.say(`starting under ${cpu} cores`);
      const service = await stage.start({ cpu, memoryBytes });
      await warm(cpu);
      return { cpu, underLimits: { readyMs: service.readyMs, how: "tried" } };
    } catch (error) {
      const more = stepAbove(steps, cpu);
      if (!(error instanceof NotReady) || more === undefined) throw error;
      cpu = more;
    }
  }
}
