import type { ProfileWindow } from "../schema/profile.ts";
import { memoryAfterKill, memoryFor, stepAbove, stepBelow } from "./allocation.ts";
import type { Course } from "./course.ts";
import type { Exploration } from "./explore.ts";
import { highestRate } from "./find-rate.ts";
import type { Verification } from "./findings.ts";
import { probe, windowSeconds } from "./probe.ts";
import { ServiceDied } from "./stage.ts";
import { type StartUp, startUnderLimits } from "./start-up.ts";

const MEMORY_TRIES = 4;
const HEADROOM = 1.2;

/** What is to be verified. */
interface Proposal {
  readonly cpu: number | undefined;
  readonly rate: number;
  readonly peakBytes: number | undefined;
  readonly exploration: Exploration;
  readonly replicas: number | undefined;
  readonly start: { readonly readyMs: number | undefined; readonly cpuSeconds: number | undefined };
}

type Verified = Verification & Pick<StartUp, "underLimits" | "raisedFrom">;

/** Starts afresh under the limits that are to be recommended, and runs at the target, above it, and a step below. */
export async function verify(course: Course, proposal: Proposal): Promise<Verified> {
  const { cpu: found, peakBytes, exploration, replicas } = proposal;
  const unverified: Verified = {
    cpu: found,
    memoryBytes: peakBytes === undefined ? undefined : memoryFor(peakBytes),
    atTarget: undefined,
    atHeadroom: undefined,
    below: { cpu: undefined, window: undefined },
    maxRate: undefined,
    underLimits: { readyMs: undefined, how: "not-limited" },
    raisedFrom: undefined,
  };
  if (replicas === undefined) return unverified;
  if (peakBytes === undefined) {
    const atTarget = exploration.ladder.findLast((window) => window.verdict === "meets");
    return { ...unverified, atTarget };
  }
  if (found === undefined) return unverified;
  let memoryBytes = memoryFor(peakBytes);
  for (let tries = 1; ; tries += 1) {
    try {
      return await verifyWith(course, { ...proposal, cpu: found, memoryBytes });
    } catch (error) {
      const killed = error instanceof ServiceDied && error.cause_of_death === "out-of-memory";
      if (!killed || tries >= MEMORY_TRIES) throw error;
      course.memoryKills += 1;
      memoryBytes = memoryAfterKill(memoryBytes);
    }
  }
}

async function verifyWith(
  course: Course,
  {
    cpu: found,
    memoryBytes,
    rate,
    exploration,
    start,
  }: Proposal & { readonly cpu: number; readonly memoryBytes: number },
): Promise<Verified> {
  course.say(`verifying ${found} cores and ${Math.round(memoryBytes / 1024 / 1024)} MiB`);
  const started = await startUnderLimits(course, { cpu: found, memoryBytes, ...start });
  let { cpu } = started;
  const seconds = verifySeconds(course, rate);
  const runAt = (cores: number) =>
    probe(course, { phase: "verification", rate, limits: { cpu: cores, memoryBytes }, seconds });
  let atTarget = await runAt(cpu);
  const above = stepAbove(course.steps, cpu);
  const mayGrow = above !== undefined && course.limiter.cpu === "quota";
  if (atTarget.verdict !== "meets" && mayGrow && course.hasTime(rate, 2)) {
    course.tried.set(cpu, atTarget);
    cpu = above;
    course.say(`verifying ${cpu} cores`);
    atTarget = await runAt(cpu);
  }
  const limits = { cpu, memoryBytes };
  const atHeadroom = course.hasTime(rate, 1)
    ? await probe(course, { phase: "headroom", rate: HEADROOM * rate, limits })
    : undefined;
  const below = await oneStepBelow(course, { cpu, rate, memoryBytes });
  await course.stage.limit(limits);
  const maxRate = await maxRateAt(course, { cpu, rate, atTarget, atHeadroom, exploration });
  return {
    ...limits,
    atTarget,
    atHeadroom,
    below,
    maxRate,
    underLimits: started.underLimits,
    raisedFrom: started.cpu > found ? found : undefined,
  };
}

/** Evidence that less would fail: what was tried before counts only in quick mode. */
async function oneStepBelow(
  course: Course,
  { cpu, rate, memoryBytes }: { readonly cpu: number; readonly rate: number; readonly memoryBytes: number },
): Promise<Verification["below"]> {
  const less = course.limiter.cpu === "quota" ? stepBelow(course.steps, cpu) : undefined;
  if (less === undefined) return { cpu: undefined, window: undefined };
  const before = course.tried.get(less);
  if (before && course.request.mode === "quick") return { cpu: less, window: before };
  const limits = { cpu: less, memoryBytes };
  const window = course.hasTime(rate, 1)
    ? await probe(course, { phase: "one-step-below", rate, limits })
    : undefined;
  return { cpu: less, window: window ?? before };
}

async function maxRateAt(
  course: Course,
  {
    cpu,
    rate,
    atTarget,
    atHeadroom,
    exploration,
  }: {
    readonly cpu: number;
    readonly rate: number;
    readonly atTarget: ProfileWindow;
    readonly atHeadroom: ProfileWindow | undefined;
    readonly exploration: Exploration;
  },
): Promise<number | undefined> {
  if (atTarget.verdict !== "meets") return undefined;
  const above = atHeadroom?.verdict === "meets";
  const least = above ? HEADROOM * rate : rate;
  // By the utilisation law, what a request takes bounds what a limit can bear.
  const demand = (atTarget.cpu_cores ?? 0) / Math.max(atTarget.achieved_rate, 1e-9);
  const bearable = demand > 0 ? Math.min(exploration.maxRate, (1.1 * cpu) / demand) : exploration.maxRate;
  const most = !above && atHeadroom ? HEADROOM * rate : Math.max(least, bearable);
  course.say("looking for the highest rate within the objective");
  return highestRate(course, { least, most, windows: course.pace.maxRateWindows });
}

function verifySeconds({ request, pace, leftMs }: Course, rate: number): number {
  const usual = windowSeconds(rate, request.objective.percentile, pace);
  return request.mode === "quick" ? usual : Math.max(usual, Math.min(2 * usual, leftMs() / 4_000));
}
