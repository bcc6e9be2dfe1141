import { type DeploymentStatus, deploymentSpec } from "../schema/deployment.ts";
import { ServiceError } from "../schema/errors.ts";
import type { StoredDeployment } from "../store/deployments.ts";

/** What deployments are searched by; all that is given has to fit. */
export interface DeploymentFilter {
  readonly model?: string | undefined;
  /** A version's number: one that has some of the calls, or is the shadow. */
  readonly version?: string | undefined;
  /** `key=value`, or a key alone for any value. */
  readonly tags?: readonly string[] | undefined;
  readonly state?: "running" | "stopped" | undefined;
}

/** How many at most, and after which name. */
export interface DeploymentPage {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** One page, and the cursor of the next; null when nothing is left. */
export interface DeploymentList {
  readonly deployments: DeploymentStatus[];
  readonly cursor: string | null;
}

/** Those that fit on a page, of a list by name, and the cursor of the next one; null when nothing is left. */
export function pageOf<Item extends Pick<StoredDeployment, "name" | "model" | "state" | "spec">>(
  all: readonly Item[],
  wanted: DeploymentFilter,
  { limit, cursor = "" }: DeploymentPage,
): { readonly found: readonly Item[]; readonly cursor: string | null } {
  const fitting = all.filter((deployment) => deployment.name > cursor && fits(deployment, wanted));
  const found = fitting.slice(0, limit);
  return { found, cursor: fitting.length > limit ? (found.at(-1)?.name ?? null) : null };
}

/** @throws ServiceError `invalid-input` for a tag without a key. */
export function fits(
  { model, state, spec }: Pick<StoredDeployment, "model" | "state" | "spec">,
  wanted: DeploymentFilter,
): boolean {
  const { versions, shadow, tags } = deploymentSpec.parse(spec); // as it was stored
  const served = [...versions.map(({ version }) => version), ...(shadow ? [shadow.version] : [])];
  return (
    (wanted.model === undefined || wanted.model === model) &&
    (wanted.state === undefined || wanted.state === state) &&
    (wanted.version === undefined || served.includes(wanted.version)) &&
    (wanted.tags ?? []).every((tag) => {
      const [, key = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(tag) ?? [];
      if (key === "")
        throw new ServiceError(
          "invalid-input",
          `tag "${tag}": expected KEY=VALUE or KEY, such as team=growth`,
        );
      return Object.hasOwn(tags, key) && (value === undefined || tags[key] === value);
    })
  );
}
