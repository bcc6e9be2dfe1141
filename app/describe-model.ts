import type { ModelFile, ModelSummary, ModelVersion, TagMap } from "../schema/model-version.ts";
import type { TensorSpec } from "../schema/signature.ts";

/** That a person is shown. */
const MOST_FILES = 20;

/** A model in a line. */
export function modelLine({ name, latest_version, versions, aliases, known_by }: ModelSummary): string {
  const pointing = Object.entries(aliases).map(([alias, version]) => `@${alias} ${version}`);
  const count = known_by.includes("registry")
    ? `${versions} version${versions === 1 ? "" : "s"}${latest_version === null ? "" : `, newest ${latest_version}`}`
    : `not registered, known by its ${known_by.join(" and ")}`;
  return [name, count, ...pointing].join("  ");
}

/** A version in a line. */
export function versionLine({
  model,
  version,
  created_at,
  bytes,
  aliases,
  tags,
  description,
}: ModelVersion): string {
  const pointing = aliases.map((alias) => `@${alias}`).join(" ");
  return [
    `${model}:${version}`,
    created_at,
    `${bytes} bytes`,
    pointing,
    pairsText(tags),
    firstLine(description),
  ]
    .filter((part) => part !== "")
    .join("  ");
}

/** All about a model, for people. */
export function describeModel(model: ModelSummary): string {
  return [
    modelLine(model),
    ...(model.description === "" ? [] : [`  ${firstLine(model.description)}`]),
    ...line("tags", pairsText(model.tags)),
  ].join("\n");
}

/** All about a version, for people. */
export function describeVersion(version: ModelVersion): string {
  const { lineage, signature } = version;
  const { git } = lineage;
  const by = [version.registered_by, version.why].filter((part) => part !== null).join(": ");
  return [
    `${version.model}:${version.version}  ${version.created_at}`,
    ...line("about", firstLine(version.description)),
    ...line("by", by),
    ...line("aliases", version.aliases.map((alias) => `@${alias}`).join(" ")),
    ...line("tags", pairsText(version.tags)),
    ...line("properties", pairsText(version.properties)),
    ...line("run", [lineage.run_id, lineage.run_url].filter((part) => part !== undefined).join(" ")),
    ...line(
      "git",
      git === undefined
        ? ""
        : [
            git.commit,
            git.branch,
            git.repository,
            git.dirty ? "with changes that are not committed" : undefined,
          ]
            .filter((part) => part !== undefined)
            .join(" "),
    ),
    ...line("data", lineage.dataset_hash ?? ""),
    ...line("parent", lineage.parent ?? ""),
    ...line("takes", (signature?.inputs ?? []).map(tensorText).join(", ")),
    ...line("gives", (signature?.outputs ?? []).map(tensorText).join(", ")),
    ...line("features", shortList(signature?.feature_names ?? [])),
    ...line("classes", shortList(signature?.class_labels ?? [])),
    ...version.notes.flatMap((note) => line("note", note)),
    ...line("source", version.source ?? ""),
    ...version.files.slice(0, MOST_FILES).map(fileLine),
    ...(version.files.length > MOST_FILES ? [`  … and ${version.files.length - MOST_FILES} files more`] : []),
  ].join("\n");
}

function fileLine({ path: file, bytes, sha256 }: ModelFile): string {
  return `  ${sha256.slice(0, 12)}  ${file}  ${bytes} bytes`;
}

function line(label: string, text: string): string[] {
  return text === "" ? [] : [`  ${label.padEnd(10)} ${text}`];
}

function tensorText({ name, datatype, shape }: TensorSpec): string {
  return `${name} ${datatype}[${shape.join(", ")}]`;
}

function shortList(values: readonly (string | number)[]): string {
  const most = 12;
  return `${values.slice(0, most).join(", ")}${values.length > most ? `, … (${values.length})` : ""}`;
}

/** Tags as `k=v k=v`. */
export function pairsText(pairs: TagMap): string {
  return Object.entries(pairs)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? "";
}
