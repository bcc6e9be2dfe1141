import { ServiceError } from "../../schema/errors.ts";
import type { ModelSummary, ModelVersion } from "../../schema/model-version.ts";
import type { Registry } from "../registry.ts";

/** @throws ServiceError `not-found` also for what only has records. */
export async function registered(registry: Registry, name: string): Promise<ModelSummary> {
  const found = await registry.model(name);
  if (found.known_by.includes("registry")) return found;
  throw new ServiceError(
    "not-found",
    `model "${name}" is not registered: only its ${found.known_by.join(" and ")} are here`,
  );
}

/** The newest version; undefined when there is none yet. */
export async function newestOf(
  registry: Registry,
  { name, latest_version }: ModelSummary,
): Promise<ModelVersion | undefined> {
  return latest_version === null ? undefined : registry.version(name, latest_version);
}
