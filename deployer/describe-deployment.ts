import {
  type DeploymentPlan,
  type DeploymentSpec,
  type DeploymentStatus,
  planKind,
  type ReplicaPlan,
} from "../schema/deployment.ts";
import type { StoredDeployment, StoredPlan } from "../store/deployments.ts";
import { DURATION_BUCKETS, type VersionCounts } from "./replica/counts.ts";
import type { GroupStatus } from "./replica/group-state.ts";
import type { InferencePlace } from "./replica/model-runner.ts";

/** A deployment for its users: what was asked for, how it is, and what it was. */
export function describeDeployment(
  deployment: StoredDeployment,
  plans: readonly StoredPlan[],
  group: GroupStatus | undefined,
): DeploymentStatus {
  const { name, model, spec, host, port, created_at, updated_at } = deployment;
  const live = plans.find(({ number }) => number === group?.plan);
  return {
    name,
    model,
    created_at,
    updated_at,
    spec: spec as Record<string, unknown>, // a spec is an object
    status: {
      state: stateOf(deployment, group),
      url: `${(spec as Partial<DeploymentSpec>).tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
      plan: group?.plan ?? null,
      replicas: group?.replicas.length ?? 0,
      replicas_wanted: group?.wanted ?? 0,
      scaling: scalingOf(live, group),
      restarts: group?.restarts ?? 0,
      last_failure: group?.last_failure ?? null,
      versions: versionsOf(live, group),
      shadow: summed(group?.replicas.map(({ shadow }) => shadow)),
      capture: summed(group?.replicas.map(({ capture }) => capture)),
      processes: (group?.replicas ?? []).map(
        ({ slot, pid, in_flight, resident_bytes, threads, utilisation }) => ({
          slot,
          pid,
          in_flight,
          resident_bytes,
          threads,
          utilisation,
        }),
      ),
    },
    plans: plans.map(describePlan),
  };
}

function stateOf(
  { state }: StoredDeployment,
  group: GroupStatus | undefined,
): DeploymentStatus["status"]["state"] {
  if (state === "stopped") return "stopped";
  if (!group || group.replicas.length === 0) return "down";
  return group.replicas.length < group.wanted ? "degraded" : "running";
}

function scalingOf(
  live: StoredPlan | undefined,
  group: GroupStatus | undefined,
): DeploymentStatus["status"]["scaling"] {
  const { scaling } = (live?.document ?? {}) as Partial<ReplicaPlan>; // as it was stored
  if (!scaling || !group?.scaling) return null;
  const { min, max, utilisation } = scaling;
  return { min, max, utilisation_target: utilisation, ...group.scaling };
}

function versionsOf(
  live: StoredPlan | undefined,
  group: GroupStatus | undefined,
): DeploymentStatus["status"]["versions"] {
  const spec = live?.spec as DeploymentSpec | undefined;
  const [replica] = group?.replicas ?? [];
  return (spec?.versions ?? []).map(({ version, weight }) => {
    const counts = group?.counts[version];
    const loaded = replica?.versions.find((each) => each.version === version);
    return {
      version,
      weight: loaded?.weight ?? weight,
      requests: counts ? counts.durations.reduce((sum, n) => sum + n, 0) : 0,
      failures: counts?.failures ?? 0,
      rows: counts?.rows ?? 0,
      p50_ms: counts ? percentileMs(counts, 0.5) : null,
      p99_ms: counts ? percentileMs(counts, 0.99) : null,
      inference: loaded ? placeText(loaded.inference) : null,
    };
  });
}

/** Upper bound of the bucket in which the percentile is; null without calls. */
function percentileMs({ durations }: VersionCounts, share: number): number | null {
  const all = durations.reduce((sum, n) => sum + n, 0);
  let sum = 0;
  for (const [at, n] of durations.entries()) {
    sum += n;
    if (all > 0 && sum >= share * all) return (DURATION_BUCKETS[at] ?? DURATION_BUCKETS.at(-1) ?? 0) * 1000;
  }
  return null;
}

function placeText({ place, inline_rows, run_ms, threads }: InferencePlace): string {
  const run = Number.isFinite(run_ms)
    ? `, ${run_ms < 1 ? run_ms.toFixed(3) : run_ms.toFixed(1)} ms a run`
    : "";
  const with_ = `${threads} thread${threads === 1 ? "" : "s"}`;
  if (place === "thread") return `in a thread of its own with ${with_}${run}`;
  return `inline up to ${inline_rows} instances, beyond that in a thread of its own, with ${with_}${run}`;
}

function describePlan({
  number,
  kind,
  why,
  created_at,
  outcome,
  error,
  repeats,
  spec,
  document,
}: StoredPlan): DeploymentPlan {
  const { versions, shadow } = spec as DeploymentSpec; // as it was stored
  return {
    number,
    kind: planKind.parse(kind),
    why,
    created_at,
    outcome,
    error,
    versions,
    shadow: shadow ?? null,
    replicas: (document as { readonly replicas: number }).replicas,
    rolled_back_to: repeats,
  };
}

/** Numbers of the replicas added up; what is no number is that of the first. */
function summed(parts: readonly (object | null | undefined)[] = []): Record<string, unknown> | null {
  const sum: Record<string, unknown> = {};
  for (const part of parts) {
    for (const [key, value] of Object.entries(part ?? {}))
      sum[key] =
        typeof value === "number"
          ? key.startsWith("largest")
            ? Math.max(Number(sum[key] ?? 0), value)
            : Number(sum[key] ?? 0) + value
          : (sum[key] ?? value);
  }
  return Object.keys(sum).length > 0 ? sum : null;
}
