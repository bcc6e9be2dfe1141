import { ServiceError } from "../schema/errors.ts";
import type { Profile } from "../schema/profile.ts";
import { Course } from "./course.ts";
import type { Surroundings } from "./findings.ts";
import { chooseLimiter } from "./limiters/choose-limiter.ts";
import { LoadGenerator } from "./load-generator.ts";
import { profileDocument } from "./profile-document.ts";
import type { ProfileRequest } from "./profile-request.ts";
import { search } from "./search.ts";
import { ServiceDied, Stage } from "./stage.ts";
import { startCandidate } from "./targets/start-candidate.ts";
import { sweepThreads } from "./thread-sweep.ts";

/**
 * Loads a service, finds the smallest CPU and memory that meet the objective at the target rate, and verifies them.
 * Leaves no process and no control group behind, however it ends.
 *
 * @throws ServiceError when the service does not start or answers nothing well; the signal's reason when aborted.
 */
export async function runProfile(asked: ProfileRequest, around: Surroundings): Promise<Profile> {
  const { tree, clock, signal, env } = around;
  const startedAt = clock.now();
  const startedMs = clock.monotonicMs();
  const { limiter, passedOver } = await chooseLimiter(
    tree,
    (ms) => clock.pause(ms),
    asked.candidate.kind === "url" ? "none" : asked.limiter,
  );
  const bound = { requests: asked.maxRequests, ms: 2 * asked.budgetMs + asked.soakMs };
  const generator = await LoadGenerator.start(bound);
  let stage: Stage | undefined;
  try {
    const { variants = [], objective } = asked;
    const split =
      variants.length > 1 ? await sweepThreads(asked, around, { limiter, generator, variants }) : undefined;
    const { threads, candidate } = split?.variant ?? asked;
    const request = { ...asked, threads, candidate };
    stage = new Stage({
      limiter,
      generator,
      load: request.load,
      objective,
      tree,
      clock,
      signal,
      start: (wrap) => startCandidate(request.candidate, { wrap, env, tree, clock, signal }),
    });
    const course = new Course(request, around, { limiter, stage, startedMs });
    const found = await search(course, startedAt);
    return profileDocument({ ...found, passedOver, split, requestsSent: generator.sent }, around);
  } catch (error) {
    if (error instanceof ServiceDied) throw new ServiceError("upstream-failed", error.message);
    throw error;
  } finally {
    try {
      await stage?.stop();
    } finally {
      await generator.close();
    }
  }
}
