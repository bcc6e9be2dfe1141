import type { DeploymentSpec } from "../schema/deployment.ts";
import { ServiceError } from "../schema/errors.ts";
import type { StoredPlan } from "../store/deployments.ts";

/**
 * What a rollback goes back to: the newest plan before the one whose content is served now that gave all calls to one
 * version, so that neither a canary nor one that was promoted comes back; where there was none, the newest before.
 */
export function planBefore(
  now: StoredPlan | undefined,
  plans: readonly StoredPlan[],
): StoredPlan | undefined {
  const from = now?.repeats ?? now?.number ?? 0;
  const earlier = plans.filter(
    ({ number, outcome, repeats, kind }) =>
      number < from && outcome === "replaced" && repeats === null && kind !== "automatic-rollback",
  );
  const contentOf = (plan: StoredPlan | undefined) => JSON.stringify(plan?.spec);
  return (
    earlier.find(
      (plan) => (plan.spec as DeploymentSpec).versions.length === 1 && contentOf(plan) !== contentOf(now),
    ) ?? earlier[0]
  );
}

/**
 * The version that has some of the calls and was not the last to have had all of them.
 *
 * @param plans - Newest first.
 * @throws ServiceError `conflict` when there is none, or several.
 */
export function canaryOf(name: string, spec: DeploymentSpec, plans: readonly StoredPlan[]): string {
  const settled = plans.find(
    ({ outcome, spec: before }) => outcome !== "failed" && (before as DeploymentSpec).versions.length === 1,
  );
  const stable = (settled?.spec as DeploymentSpec | undefined)?.versions[0]?.version;
  const others = spec.versions.filter(({ version }) => version !== stable);
  const [only] = others;
  if (others.length === 1 && only && spec.versions.length > 1) return only.version;
  throw new ServiceError(
    "conflict",
    spec.versions.length === 1
      ? `deployment "${name}" has no canary: version ${only?.version ?? stable} has all calls`
      : `which version of deployment "${name}" is to have all calls? There are ${spec.versions.map(({ version }) => version).join(", ")}`,
  );
}
