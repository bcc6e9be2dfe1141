import { z } from "zod";
import { ServiceError } from "../../schema/errors.ts";
import { aliasName } from "../../schema/model-version.ts";
import { resourceName } from "../../schema/names.ts";
import type { Registry } from "../registry.ts";
import { createVersion, type MlflowParts, tagsOf } from "./create-version.ts";
import { AlreadyExists } from "./error-answer.ts";
import { newestOf, registered } from "./lookups.ts";
import { searchModels, searchVersions } from "./searches.ts";
import { artifactUri, shownModel, shownVersion } from "./shapes.ts";

/** One call of MLflow's registry: where it is, what it takes, what it does. */
export interface MlflowCall {
  readonly methods: readonly ("GET" | "POST" | "PATCH" | "DELETE")[];
  readonly path: string;
  readonly summary: string;
  readonly input: z.ZodType;
  readonly run: (input: never, parts: MlflowParts) => Promise<object>;
}

const version = z.coerce.string().regex(/^[1-9]\d{0,8}$/, "expected the number of a version");
const ofModel = z.object({ name: resourceName });
const ofVersion = z.object({ name: resourceName, version });
const ofAlias = z.object({ name: resourceName, alias: aliasName });
const tagList = z
  .array(z.object({ key: z.string().min(1).max(250), value: z.string().default("") }))
  .default([]);
const list = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
const tag = { key: z.string().min(1).max(250), value: z.string().max(5_000).default("") };
const search = (mostResults: number, usual: number) =>
  z.object({
    filter: z.string().max(10_000).default(""),
    max_results: z.coerce.number().int().min(1).max(mostResults).default(usual),
    order_by: list.default([]),
    page_token: z.string().max(1_000).optional(),
  });

function call<Input extends z.ZodType>(
  methods: MlflowCall["methods"],
  path: string,
  made: {
    readonly summary: string;
    readonly input: Input;
    readonly run: (input: z.output<Input>, parts: MlflowParts) => Promise<object>;
  },
): MlflowCall {
  return { methods, path, ...made };
}

/** MLflow's model registry protocol, as far as its clients use it without a tracking server. */
export const mlflowCalls: readonly MlflowCall[] = [
  call(["POST"], "registered-models/create", {
    summary: "Make a registered model without versions",
    input: z.object({ name: resourceName, tags: tagList, description: z.string().default("") }),
    run: async ({ name, tags, description }, { registry }) => {
      await registry.createModel({ name, description, tags: tagsOf(tags) }).catch((error: unknown) => {
        if (!(error instanceof ServiceError && error.code === "conflict")) throw error;
        throw new AlreadyExists(`Registered Model (name=${name}) already exists.`);
      });
      return { registered_model: await model(registry, name) };
    },
  }),
  call(["GET"], "registered-models/get", {
    summary: "One registered model",
    input: ofModel,
    run: async ({ name }, { registry }) => ({ registered_model: await model(registry, name) }),
  }),
  call(["PATCH"], "registered-models/update", {
    summary: "Change the description of a registered model",
    input: ofModel.extend({ description: z.string().max(100_000).default("") }),
    run: async ({ name, description }, { registry }) => {
      await registered(registry, name);
      await registry.changeModel(name, { description });
      return { registered_model: await model(registry, name) };
    },
  }),
  call(["POST"], "registered-models/rename", {
    summary: "Refused: records, baselines and monitors go by a model's name",
    input: z.object({ name: resourceName, new_name: z.string() }),
    run: async ({ name, new_name }, { registry }) => {
      await registered(registry, name);
      throw new ServiceError(
        "invalid-input",
        `model "${name}" cannot become "${new_name}": records, baselines and monitors go by its name. Register its versions under the new name`,
      );
    },
  }),
  call(["DELETE"], "registered-models/delete", {
    summary: "Delete a registered model with its versions; refused while one is in use",
    input: ofModel,
    run: async ({ name }, { registry, by }) => {
      await registry.removeModel(name, by);
      return {};
    },
  }),
  call(["GET"], "registered-models/search", {
    summary: "Registered models that a filter string describes",
    input: search(1_000, 100),
    run: searchModels,
  }),
  call(["GET", "POST"], "registered-models/get-latest-versions", {
    summary: "The newest version of a model: there are no stages",
    input: ofModel.extend({ stages: list.optional() }),
    run: async ({ name }, { registry }) => {
      const newest = await newestOf(registry, await registered(registry, name));
      return { model_versions: newest ? [shownVersion(newest)] : [] };
    },
  }),
  call(["POST"], "registered-models/set-tag", {
    summary: "Set a tag of a model",
    input: ofModel.extend(tag),
    run: async ({ name, key, value }, { registry }) => {
      await registered(registry, name);
      await registry.changeModel(name, { tags: { [key]: value } });
      return {};
    },
  }),
  call(["DELETE"], "registered-models/delete-tag", {
    summary: "Take a tag of a model away",
    input: ofModel.extend({ key: tag.key }),
    run: async ({ name, key }, { registry }) => {
      await registered(registry, name);
      await registry.changeModel(name, { tags: { [key]: null } });
      return {};
    },
  }),
  call(["POST"], "registered-models/alias", {
    summary: "Point an alias to a version",
    input: ofAlias.extend({ version }),
    run: async ({ name, alias, version: to }, { registry, by }) => {
      await registry.aliases.set({ model: name, alias, version: to, by: by ?? null, why: null });
      return {};
    },
  }),
  call(["DELETE"], "registered-models/alias", {
    summary: "Let an alias point to nothing",
    input: ofAlias,
    run: async ({ name, alias }, { registry, by }) => {
      await registered(registry, name);
      // As MLflow does, nothing is said where there is nothing to take away.
      await registry.aliases
        .remove({ model: name, alias, by: by ?? null, why: null })
        .catch((error: unknown) => {
          if (!(error instanceof ServiceError && error.code === "not-found")) throw error;
        });
      return {};
    },
  }),
  call(["GET"], "registered-models/alias", {
    summary: "The version that an alias points to",
    input: ofAlias,
    run: async ({ name, alias }, { registry }) => ({
      model_version: shownVersion(await registry.version(name, `@${alias}`)),
    }),
  }),
  call(["POST"], "model-versions/create", {
    summary: "Register a version whose files are elsewhere, were sent ahead, or are another version's",
    input: ofModel.extend({
      source: z.string().min(1).max(4_000),
      run_id: z.string().max(500).optional(),
      run_link: z.string().max(2_000).optional(),
      tags: tagList,
      description: z.string().max(100_000).default(""),
    }),
    run: createVersion,
  }),
  call(["GET"], "model-versions/get", {
    summary: "One version",
    input: ofVersion,
    run: async ({ name, version: of }, { registry }) => ({
      model_version: shownVersion(await registry.version(name, of)),
    }),
  }),
  call(["PATCH"], "model-versions/update", {
    summary: "Change the description of a version",
    input: ofVersion.extend({ description: z.string().max(100_000).default("") }),
    run: async ({ name, version: of, description }, { registry }) => ({
      model_version: shownVersion(await registry.changeVersion(name, of, { description })),
    }),
  }),
  call(["DELETE"], "model-versions/delete", {
    summary: "Delete a version; refused while it is in use",
    input: ofVersion,
    run: async ({ name, version: of }, { registry, by }) => {
      await registry.remove(name, of, by);
      return {};
    },
  }),
  call(["GET"], "model-versions/search", {
    summary: "Versions that a filter string describes",
    input: search(200_000, 10_000),
    run: searchVersions,
  }),
  call(["GET"], "model-versions/get-download-uri", {
    summary: "Where the files of a version are",
    input: ofVersion,
    run: async ({ name, version: of }, { registry }) => ({
      artifact_uri: artifactUri(await registry.version(name, of)),
    }),
  }),
  call(["POST"], "model-versions/set-tag", {
    summary: "Set a tag of a version",
    input: ofVersion.extend(tag),
    run: async ({ name, version: of, key, value }, { registry }) => {
      await registry.changeVersion(name, of, { tags: { [key]: value } });
      return {};
    },
  }),
  call(["DELETE"], "model-versions/delete-tag", {
    summary: "Take a tag of a version away",
    input: ofVersion.extend({ key: tag.key }),
    run: async ({ name, version: of, key }, { registry }) => {
      await registry.changeVersion(name, of, { tags: { [key]: null } });
      return {};
    },
  }),
  call(["POST"], "model-versions/transition-stage", {
    summary: "Refused: there are aliases instead of stages",
    input: ofVersion.extend({ stage: z.string() }),
    run: async ({ name, version: of, stage }, { registry }) => {
      await registry.version(name, of);
      throw new ServiceError(
        "invalid-input",
        `there are no stages here, so version ${of} of "${name}" cannot be in "${stage}": use an alias, set_registered_model_alias`,
      );
    },
  }),
];

async function model(registry: Registry, name: string) {
  const found = await registered(registry, name);
  return shownModel(found, await newestOf(registry, found));
}
