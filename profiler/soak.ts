import { memoryAfterKill } from "./allocation.ts";
import type { Course } from "./course.ts";
import { probe } from "./probe.ts";
import { ServiceDied } from "./stage.ts";

const WINDOW_SECONDS = 30;

/**
 * Goes on at the target rate under the recommended limits for as long as was asked, so that memory that grows slowly is
 * seen. Ends early when the service is killed, or when the bound on requests is near.
 *
 * @returns how long it was, and the memory to recommend after it.
 */
export async function soak(
  course: Course,
  { cpu, memoryBytes, rate }: { readonly cpu: number; readonly memoryBytes: number; readonly rate: number },
): Promise<{ readonly seconds: number; readonly memoryBytes: number }> {
  const { soakMs } = course.request;
  let seconds = 0;
  try {
    while (1_000 * seconds < soakMs) {
      const next = Math.min(WINDOW_SECONDS, soakMs / 1_000 - seconds);
      if (next * rate * 1.2 > course.stage.requestsLeft) break;
      course.say(`soaking: ${Math.round(seconds)} of ${Math.round(soakMs / 1_000)} s`);
      await probe(course, {
        phase: "soak",
        rate,
        limits: { cpu, memoryBytes },
        seconds: next,
        again: "never",
      });
      seconds += next;
    }
    return { seconds, memoryBytes };
  } catch (error) {
    if (!(error instanceof ServiceDied) || error.cause_of_death !== "out-of-memory") throw error;
    course.memoryKills += 1;
    return { seconds, memoryBytes: memoryAfterKill(memoryBytes) };
  }
}
