import { emit } from "../events/events.ts";
import type { Database } from "../store/database.ts";
import type { DeploymentStore, StoredPlan } from "../store/deployments.ts";
import type { GroupClient } from "./group-client.ts";

interface FailedPlan {
  readonly name: string;
  readonly number: number;
  readonly why: string;
}

interface Books {
  readonly database: Database;
  readonly store: DeploymentStore;
  readonly now: () => Date;
}

const UNFINISHED = "leeway serve ended before it was served";

/** Whether a plan has failed for a reason that would be there again: not since the server ended meanwhile. */
export function wouldFailAgain({ outcome, error }: Pick<StoredPlan, "outcome" | "error">): boolean {
  return outcome === "failed" && !error?.startsWith(UNFINISHED);
}

/** Writes down that a plan could not be served, and tells it. */
export async function recordFailure(
  { name, number, why }: FailedPlan,
  { database, store, now }: Books,
): Promise<void> {
  await database.transaction(async (tx) => {
    await store.settlePlan(tx, name, { number, outcome: "failed", error: why });
    const data = { plan: number, why };
    await emit(tx, { type: "dev.leeway.deployment.failed", subject: `deployments/${name}`, data }, now());
  });
}

/**
 * Settles plans that nobody knows the outcome of, since the server ended while they were about to be served: they have
 * failed, and the replicas of a deployment that had not come about are ended. To be called while no plan of the
 * deployment is under way.
 */
export async function settleUnfinished(name: string, group: GroupClient, books: Books): Promise<void> {
  const unfinished = await books.store.unfinishedPlans(name);
  if (unfinished.length === 0) return;
  const before = await books.store.find(name);
  if (before?.state !== "running") await group.end();
  const goesOn = before?.state === "running" ? `: plan ${before.plan} goes on` : "";
  for (const number of unfinished)
    await recordFailure({ name, number, why: `${UNFINISHED}${goesOn}` }, books);
}
