import type { DeploymentSpec } from "../schema/deployment.ts";
import { ServiceError } from "../schema/errors.ts";
import type { StoredPlan } from "../store/deployments.ts";

/** What a deployment scores with; who may call it where, and what it is found by, is not gone back on. */
type Scoring = Omit<DeploymentSpec, "auth" | "tls" | "host" | "port" | "tags">;

/**
 * What is served after a rollback: what the earlier plan scored with, for the callers, at the address and with the
 * certificates of today. A key that was taken away since does not come back.
 */
export function specAfterRollback(earlier: DeploymentSpec, now: DeploymentSpec): DeploymentSpec {
  const { auth, tls, host, port, tags } = now;
  return { ...scoringOf(earlier), auth, tls, host, port, tags };
}

function scoringOf({
  auth: _,
  tls: __,
  host: ___,
  port: ____,
  tags: _____,
  ...scoring
}: DeploymentSpec): Scoring {
  return scoring;
}

/**
 * What a rollback goes back to: the newest plan before the one whose content is served now that gave all calls to one
 * version, so that neither a canary nor one that was promoted comes back; where there was none, the newest before. Plans
 * that scored with the same are none to go back to.
 */
export function planBefore(
  now: StoredPlan | undefined,
  plans: readonly StoredPlan[],
): StoredPlan | undefined {
  if (!now) return undefined;
  const from = beginOf(now, plans);
  const earlier = plans.filter(
    ({ number, outcome, repeats, kind }) =>
      number < from && outcome === "replaced" && repeats === null && kind !== "automatic-rollback",
  );
  const others = earlier.filter((plan) => contentOf(plan) !== contentOf(now));
  return others.find((plan) => (plan.spec as DeploymentSpec).versions.length === 1) ?? others[0];
}

/** The plan since which the same is scored with, through changes of keys and the like; of a rollback, what it went back to. */
function beginOf(now: StoredPlan, plans: readonly StoredPlan[]): number {
  let begin = now;
  for (const plan of plans) {
    if (plan.number >= begin.number || plan.outcome !== "replaced") continue;
    if (begin.repeats !== null || contentOf(plan) !== contentOf(begin)) break;
    begin = plan;
  }
  return begin.repeats ?? begin.number;
}

function contentOf({ spec }: StoredPlan): string {
  return JSON.stringify(scoringOf(spec as DeploymentSpec));
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

/** What is left when a version is taken out: its share goes to the others, by theirs. */
export function specWithout(spec: DeploymentSpec, version: string): DeploymentSpec {
  const left = spec.versions.filter((each) => each.version !== version);
  const sum = left.reduce((all, { weight }) => all + weight, 0);
  return { ...spec, versions: left.map((each) => ({ ...each, weight: (each.weight * 100) / sum })) };
}
