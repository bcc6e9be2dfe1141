import type { Course } from "./course.ts";
import type { Exploration } from "./explore.ts";
import { probe } from "./probe.ts";

/** One replica when it bears the whole rate with all cores; otherwise as many as the highest rate that one bears asks for. */
export async function findReplicas(
  course: Course,
  exploration: Exploration,
): Promise<{
  readonly replicas: number | undefined;
  readonly ratePerReplica: number;
  readonly highest: number | undefined;
}> {
  const { rate } = course.request;
  const asked = exploration.ladder.find((window) => window.rate === rate);
  const whole =
    asked ??
    (rate < exploration.maxRate
      ? await probe(course, { phase: "ladder", rate, limits: course.stage.limits })
      : undefined);
  if (whole?.verdict === "meets") return { replicas: 1, ratePerReplica: rate, highest: rate };
  course.say("looking for the highest rate within the objective");
  const highest = await highestRate(course, {
    least: 0,
    most: Math.min(rate, exploration.maxRate),
    windows: 5,
  });
  if (highest === undefined) return { replicas: undefined, ratePerReplica: rate, highest: undefined };
  const replicas = Math.ceil(rate / highest);
  return { replicas, ratePerReplica: rate / replicas, highest };
}

/** Highest rate that meets the objective under the present limits, by halves; undefined when none of those tried does. */
export async function highestRate(
  course: Course,
  { least, most, windows }: { readonly least: number; readonly most: number; readonly windows: number },
): Promise<number | undefined> {
  let [holds, fails] = [least, most];
  for (let i = 0; i < windows && fails - holds > 0.05 * fails; i += 1) {
    const rate = i === 0 && least === 0 ? 0.8 * most : (holds + fails) / 2;
    if (!course.hasTime(rate, 1)) break;
    const { verdict } = await probe(course, { phase: "max-rate", rate, limits: course.stage.limits });
    if (verdict === "meets") holds = rate;
    else fails = rate;
  }
  return holds > 0 ? holds : undefined;
}
