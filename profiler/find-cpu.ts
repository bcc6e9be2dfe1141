import type { Course } from "./course.ts";
import { type Exploration, predictCpu } from "./explore.ts";
import { probe } from "./probe.ts";
import { smallestStep } from "./smallest-step.ts";

/** The smallest CPU step that meets the objective at the rate; undefined when none does. */
export async function findCpu(
  course: Course,
  {
    rate,
    cores,
    exploration,
  }: { readonly rate: number; readonly cores: number; readonly exploration: Exploration },
): Promise<number | undefined> {
  const { steps, tried, request } = course;
  const predicted = predictCpu({ steps, rate, cores, exploration, request });
  if (course.limiter.cpu !== "quota") return predicted;
  const memoryBytes = course.safeMemoryBytes;
  // By the utilisation law, less than what is used at this rate cannot bear it.
  const tooSmall = steps.findLastIndex((step) => step < 0.9 * cores);
  const { found } = await smallestStep({
    steps,
    guess: steps.indexOf(predicted),
    tooSmall,
    holds: async (cpu) => {
      if (!course.hasTime(rate, 1, course.pace.verifySeconds)) return "stop";
      course.say(`trying ${cpu} cores`);
      const window = await probe(course, { phase: "allocation", rate, limits: { cpu, memoryBytes } });
      tried.set(cpu, window);
      return window.verdict === "meets" ? "yes" : "no";
    },
  });
  if (found !== undefined) return found;
  const missed = [...tried].filter(([, { verdict }]) => verdict === "misses").map(([cpu]) => cpu);
  const largestMissed = Math.max(0, ...missed);
  // Not all was tried, or strangers were in the way: what has not been seen to fail is what the verifying run tries.
  return steps.find((step) => step > largestMissed && step >= predicted);
}
