import type { ModelSummary, ModelVersion, TagMap } from "../../schema/model-version.ts";

/** Where MLflow's client finds the files of a version that are here: the artifact routes of this server. */
const ARTIFACTS = "mlflow-artifacts:/models";

export function artifactUri({ model, version, source }: ModelVersion): string {
  return source ?? `${ARTIFACTS}/${model}/${version}`;
}

/** A version as MLflow's protocol has it. */
export function shownVersion(version: ModelVersion) {
  const { lineage } = version;
  return {
    name: version.model,
    version: version.version,
    creation_timestamp: Date.parse(version.created_at),
    last_updated_timestamp: Date.parse(version.updated_at),
    user_id: version.registered_by ?? "",
    current_stage: "None",
    description: version.description,
    source: artifactUri(version),
    run_id: lineage.run_id ?? "",
    run_link: lineage.run_url ?? "",
    status: "READY",
    status_message: "",
    tags: shownTags(version.tags),
    aliases: version.aliases,
  };
}

/** A model as MLflow's protocol has it; without stages there is one latest version. */
export function shownModel(model: ModelSummary, newest: ModelVersion | undefined) {
  return {
    name: model.name,
    creation_timestamp: Date.parse(model.created_at ?? "") || 0,
    last_updated_timestamp: Date.parse(model.updated_at ?? "") || 0,
    user_id: "",
    description: model.description,
    latest_versions: newest ? [shownVersion(newest)] : [],
    tags: shownTags(model.tags),
    aliases: Object.entries(model.aliases).map(([alias, version]) => ({ alias, version })),
  };
}

function shownTags(tags: TagMap): { readonly key: string; readonly value: string }[] {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}
