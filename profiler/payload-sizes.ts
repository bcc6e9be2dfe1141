import type { ProfileWindow } from "../schema/profile.ts";
import type { Course } from "./course.ts";
import { closedWindowMost } from "./explore.ts";

const CALLERS = 4;
/** Bodies that differ by less than this factor are taken for equally large. */
const LEAST_SPREAD = 1.5;

/**
 * Callers that send only the smallest bodies, then only those in the middle, then only the largest, while memory is read:
 * a rare large body has to fit as well. Nothing to do when the bodies are about equally large.
 */
export async function sweepBodies(course: Course): Promise<readonly ProfileWindow[]> {
  const { stage, request, pace } = course;
  const { payloads } = request.load;
  const chosen = bodiesBySize(payloads);
  const windows: ProfileWindow[] = [];
  if (chosen.length < 2) return windows;
  course.say("looking at bodies of different size");
  try {
    for (const body of chosen) {
      stage.sendOnly([body]);
      windows.push(
        await stage.run("body-size", {
          kind: "closed",
          concurrency: CALLERS,
          durationMs: (pace.sweepSeconds * 1_000) / 2,
          most: closedWindowMost(request),
        }),
      );
      stage.windows[stage.windows.length - 1] = {
        ...(windows.at(-1) as ProfileWindow),
        body_bytes: body.length,
      };
    }
  } finally {
    stage.sendOnly(payloads);
  }
  return windows;
}

/** The smallest, the one in the middle and the largest, ascending; one when they are about equally large. */
export function bodiesBySize(payloads: readonly Uint8Array[]): readonly Uint8Array[] {
  const sorted = payloads.toSorted((a, b) => a.length - b.length);
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (!least || !most || most.length < LEAST_SPREAD * Math.max(1, least.length)) return least ? [least] : [];
  const middle = sorted[Math.floor(sorted.length / 2)] ?? least;
  return [...new Set([least, middle, most])].filter(
    (body, i, all) => i === 0 || body.length > (all[i - 1]?.length ?? 0),
  );
}
