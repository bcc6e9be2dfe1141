import { ServiceError } from "../../schema/errors.ts";
import { registration, type TagMap, tagMap } from "../../schema/model-version.ts";
import type { ReceivedFile } from "../receive-upload.ts";
import type { Registry } from "../registry.ts";
import { registered } from "./lookups.ts";
import type { PendingArtifacts } from "./pending-artifacts.ts";
import { shownVersion } from "./shapes.ts";

export interface MlflowParts {
  readonly registry: Registry;
  readonly pending: PendingArtifacts;
  /** Who calls. */
  readonly by: string | undefined;
}

interface NewMlflowVersion {
  readonly name: string;
  readonly source: string;
  readonly run_id?: string | undefined;
  readonly run_link?: string | undefined;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
  readonly description: string;
}

/** Registers a version whose files are elsewhere, were sent ahead, or are those of another version. */
export async function createVersion(asked: NewMlflowVersion, parts: MlflowParts): Promise<object> {
  const { name, source, run_id, run_link, tags, description } = asked;
  await registered(parts.registry, name);
  const files = await filesOf(source, parts);
  const { version: made } = await parts.registry.register(
    registration.parse({
      name,
      description,
      tags: tagsOf(tags),
      lineage: {
        ...(run_id === undefined || run_id === "" ? {} : { run_id }),
        ...(run_link === undefined || run_link === "" ? {} : { run_url: run_link }),
      },
    }),
    files,
    { by: parts.by, ...(files.length === 0 ? { source } : {}) },
  );
  return { model_version: shownVersion(made) };
}

/** The files that a source names, where they are here: sent ahead, or those of another version. */
async function filesOf(source: string, { registry, pending }: MlflowParts): Promise<ReceivedFile[]> {
  const sentAhead = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.+)$/.exec(source)?.[1];
  const other =
    /^models:\/+(?<name>[^/@]+)(?:\/(?<version>[^/@]+)|@(?<alias>[^/@]+))$/.exec(source)?.groups ??
    /^models\/(?<name>[^/]+)\/(?<version>\d+)\/?$/.exec(sentAhead ?? "")?.groups;
  if (other) {
    const reference = other.alias === undefined ? other.version : `@${other.alias}`;
    const found = await registry.resolve(other.name ?? "", reference);
    return Promise.all(
      found.files.map(async ({ path, bytes, sha256 }) => ({
        path,
        ...(await registry.blobs.hold({ bytes, sha256 })),
      })),
    );
  }
  if (sentAhead === undefined) return [];
  const files = pending.take(sentAhead);
  if (files.length > 0) return files;
  throw new ServiceError("invalid-input", `nothing was sent to ${source}: log_artifacts puts files there`);
}

/** Tags as a map. */
export function tagsOf(tags: readonly { readonly key: string; readonly value: string }[]): TagMap {
  return tagMap.parse(Object.fromEntries(tags.map(({ key, value }) => [key, value])));
}
