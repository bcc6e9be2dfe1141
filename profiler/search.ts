import { memoryFor, stepAtLeast } from "./allocation.ts";
import type { Course } from "./course.ts";
import { climbLadder, coresAt, type Exploration, fitDemand, sweepCallers } from "./explore.ts";
import { findCpu } from "./find-cpu.ts";
import { findReplicas } from "./find-rate.ts";
import type { Findings } from "./findings.ts";
import { sweepBodies } from "./payload-sizes.ts";
import { soak } from "./soak.ts";
import { verify } from "./verify.ts";
import { warmUp } from "./warm-up.ts";

/** The steps of a profile, in order: start, warm up, explore with all cores, find the size, verify it, soak. */
export async function search(
  course: Course,
  startedAt: Date,
): Promise<Omit<Findings, "passedOver" | "requestsSent" | "split">> {
  const { request, stage, pace, clock } = course;
  course.say("starting the service");
  const service = await stage.start({ cpu: course.mostCpu, memoryBytes: course.safeMemoryBytes });
  const afterStart = stage.reading();
  const meterKind = stage.meterKind;
  course.say("warming up");
  const warm = await warmUp(stage, {
    seconds: pace.warmUpSeconds,
    maxRequests: request.maxRequests,
    clock,
  });
  const idleCores = await stage.idle(pace.idleMs);
  const startPeak = Math.max(
    stage.reading()?.heldPeakBytes ?? 0,
    ...stage.samples.map(({ held_bytes }) => held_bytes),
  );
  course.say("looking for the highest throughput");
  const sweep = await sweepCallers(stage, course);
  const maxRate = Math.max(...sweep.map(({ achieved_rate }) => achieved_rate));
  course.say("measuring the CPU time of a request");
  const ladder = await climbLadder(course, maxRate);
  await sweepBodies(course);
  const exploration: Exploration = { idleCores, sweep, ladder, maxRate };

  const { ratePerReplica: rate, replicas, highest } = await findReplicas(course, exploration);
  const demand = fitDemand(idleCores, ladder);
  const cores = demand === undefined ? undefined : coresAt(rate, { idleCores, ladder, line: demand });
  const cpu =
    replicas === undefined || cores === undefined
      ? undefined
      : await findCpu(course, { rate, cores, exploration });
  const peak = () => (afterStart === undefined ? undefined : peakOf(course, startPeak));
  const start = { readyMs: service.readyMs, cpuSeconds: afterStart?.cpuSeconds };
  const verified = await verify(course, { cpu, rate, peakBytes: peak(), exploration, replicas, start });
  const soaked =
    request.soakMs > 0 && verified.cpu !== undefined && verified.memoryBytes !== undefined
      ? await soak(course, { cpu: verified.cpu, memoryBytes: verified.memoryBytes, rate })
      : { seconds: 0, memoryBytes: verified.memoryBytes };
  const { underLimits, raisedFrom, ...verification } = verified;
  return {
    ...verification,
    request,
    limiter: course.limiter,
    stage,
    meterKind,
    startUp: { ...start, underLimits, raisedFrom },
    warm,
    afterStartBytes: afterStart?.heldBytes,
    exploration,
    replicas,
    ratePerReplica: rate,
    cpuRequest:
      cores === undefined
        ? undefined
        : stepAtLeast(course.steps, Math.min(cores * 1.15, verified.cpu ?? course.mostCpu)),
    memoryBytes:
      soaked.seconds > 0 && soaked.memoryBytes !== undefined
        ? Math.max(soaked.memoryBytes, memoryFor(peak() ?? 0))
        : soaked.memoryBytes,
    memoryKills: course.memoryKills,
    peakBytes: peak(),
    soakSeconds: soaked.seconds,
    maxRate: verified.maxRate ?? highest,
    budget: course.budget,
    startedAt,
    elapsedSeconds: course.elapsedSeconds,
  };
}

/**
 * Most memory held at the start, in the warm-up, with the largest bodies and at open-loop rates; what dozens of callers at
 * once took does not count.
 */
function peakOf({ stage }: Course, startPeak: number): number {
  const windows = stage.windows.filter(({ load, phase }) => load === "open" || phase === "body-size");
  return Math.max(startPeak, ...windows.map(({ held_peak_bytes }) => held_peak_bytes ?? 0));
}
