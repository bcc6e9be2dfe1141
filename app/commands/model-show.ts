import { join } from "node:path";
import type { Command } from "commander";
import { ServiceError } from "../../schema/errors.ts";
import type { ModelSummary, ModelVersion, TagMap } from "../../schema/model-version.ts";
import type { ApiClient } from "../api-client.ts";
import { describeModel, describeVersion, modelLine, pairsText, versionLine } from "../describe-model.ts";
import { fetchModel } from "../fetch-model.ts";
import { parseModelReference } from "../model-reference.ts";
import { startProgress } from "../progress.ts";
import { clientFor, newCommand, path, print, type ServerOptions, withServer } from "./command.ts";

type Options = ServerOptions & { readonly json?: boolean };

/** `list`, `show`, `tag`, `download` and `delete`. */
export function showCommands(): readonly Command[] {
  const list = withServer(
    newCommand("list", {
      does: "models by name, or the versions of one, newest first",
      example:
        "leeway model list\nleeway model list --search \"name like 'churn%' and tag.team = growth\"\nleeway model list churn --search tag.env=prod",
    }),
  )
    .argument("[name]", "whose versions are listed")
    .option(
      "--search <query>",
      "conditions on name, tag.KEY, version, run; other words are looked for in texts",
    )
    .option("--limit <n>", "most that are listed", "100")
    .action(listModels);

  const show = withServer(
    newCommand("show", {
      does: "all about a model, or about one of its versions",
      example: "leeway model show churn\nleeway model show churn:3\nleeway model show churn@champion",
    }),
  )
    .argument("<model>", "NAME, NAME:VERSION or NAME@ALIAS")
    .action(async (text: string, options: Options) => {
      const { model, reference } = parseModelReference(text);
      const client = clientFor(options);
      if (reference !== undefined) {
        print(await versionOf(client, model, reference), options, describeVersion);
        return;
      }
      const summary = await client.json<ModelSummary>({ path: path`/v1/models/${model}` });
      print(summary, options, describeModel);
    });

  const tag = withServer(
    newCommand("tag", {
      does: "set or take away tags of a model or a version",
      example: "leeway model tag churn:3 reviewed=yes note=\nleeway model tag churn team=growth",
    }),
  )
    .argument("<model>", "NAME, NAME:VERSION or NAME@ALIAS")
    .argument("<tag...>", "KEY=VALUE sets it, KEY= takes it away")
    .action(async (text: string, given: readonly string[], options: Options) => {
      const { model, reference } = parseModelReference(text);
      const where =
        reference === undefined ? path`/v1/models/${model}` : path`/v1/models/${model}/versions/${reference}`;
      const changed = await clientFor(options).send<{ readonly tags: TagMap }>("PATCH", where, {
        tags: Object.fromEntries(given.map(tagOf)),
      });
      print(changed, options, ({ tags }) => `tags of ${text}: ${pairsText(tags) || "none"}`);
    });

  const download = withServer(
    newCommand("download", {
      does: "fetch a version's files, checked against their hashes; those that are there already stay",
      example:
        "leeway model download churn@champion\nleeway model download churn:3 --to ./model --file model.onnx",
    }),
  )
    .argument("<model>", "NAME (the newest), NAME:VERSION or NAME@ALIAS")
    .option("--to <folder>", "where they go (NAME-VERSION when absent)")
    .option("--file <path...>", "these files only")
    .action(downloadFiles);

  const remove = withServer(
    newCommand("delete", {
      does: "delete a version and its files; refused while it is deployed, or an alias points to it",
      example: "leeway model delete churn:3",
    }),
  )
    .argument("<version>", "NAME:VERSION")
    .action(async (text: string, options: Options) => {
      const { model, reference } = parseModelReference(text);
      if (reference === undefined || !/^\d+$/.test(reference)) {
        throw new ServiceError(
          "invalid-input",
          `"${text}": say which version is to be deleted, such as ${model}:3`,
        );
      }
      await clientFor(options).call({
        method: "DELETE",
        path: path`/v1/models/${model}/versions/${reference}`,
      });
      print({ model, version: reference, deleted: "yes" }, options, () => `${model}:${reference} is deleted`);
    });
  return [list, show, tag, download, remove];
}

async function listModels(
  name: string | undefined,
  options: Options & { readonly search?: string; readonly limit: string },
): Promise<void> {
  const client = clientFor(options);
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) {
    throw new ServiceError("invalid-input", `--limit ${options.limit}: expected a whole number above 0`);
  }
  const search = options.search === undefined ? {} : { q: options.search };
  if (name !== undefined) {
    const where = path`/v1/models/${name}/versions`;
    const versions = await pages<"versions", ModelVersion>(client, { where, key: "versions", search, limit });
    print({ versions }, options, () => versions.map(versionLine).join("\n") || `${name} has no such version`);
    return;
  }
  const models = await pages<"models", ModelSummary>(client, {
    where: "/v1/models",
    key: "models",
    search,
    limit,
  });
  print({ models }, options, () => models.map(modelLine).join("\n") || "no models");
}

async function pages<Key extends string, Item>(
  client: ApiClient,
  {
    where,
    key,
    search,
    limit,
  }: {
    readonly where: string;
    readonly key: Key;
    readonly search: Readonly<Record<string, string>>;
    readonly limit: number;
  },
): Promise<Item[]> {
  const found: Item[] = [];
  for (let cursor: string | null = null; found.length < limit; ) {
    const query = new URLSearchParams({
      ...search,
      limit: String(Math.min(500, limit - found.length)),
      ...(cursor === null ? {} : { cursor }),
    });
    const page: Record<Key, Item[]> & { readonly cursor: string | null } = await client.json({
      path: `${where}?${query}`,
    });
    found.push(...page[key]);
    cursor = page.cursor;
    if (cursor === null) break;
  }
  return found;
}

async function downloadFiles(
  text: string,
  options: Options & { readonly to?: string; readonly file?: readonly string[] },
): Promise<void> {
  const { model, reference } = parseModelReference(text);
  const client = clientFor(options);
  const version = await versionOf(client, model, reference ?? "latest");
  const unknown = options.file?.find((wanted) => !version.files.some((file) => file.path === wanted));
  if (unknown !== undefined || version.files.length === 0) {
    const names = version.files.map((file) => file.path).join(", ");
    throw new ServiceError(
      "not-found",
      unknown === undefined
        ? `${model}:${version.version} has no files here: they are at ${version.source}`
        : `${model}:${version.version} has no file "${unknown}": it has ${names}`,
    );
  }
  const files = version.files.filter((file) => options.file?.includes(file.path) ?? true);
  const folder = options.to ?? `${version.model}-${version.version}`;
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const progress = startProgress(`fetching ${model}:${version.version}`, total);
  await fetchModel(client, {
    version,
    files,
    folder,
    onProgress: (bytes, file) => progress.update(bytes, file),
  }).finally(() => progress.end());
  const written = files.map((file) => join(folder, file.path));
  print({ model, version: version.version, files: written }, options, () => written.join("\n"));
}

function versionOf(client: ApiClient, model: string, reference: string): Promise<ModelVersion> {
  return client.json<ModelVersion>({ path: path`/v1/models/${model}/versions/${reference}` });
}

/** `k=v`; without a value the tag goes. */
function tagOf(text: string): [string, string | null] {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined) {
    throw new ServiceError("invalid-input", `tag ${text}: expected KEY=VALUE, or KEY= to take it away`);
  }
  return [key, value === "" ? null : value];
}
