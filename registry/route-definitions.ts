import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import {
  aliasChange,
  aliasName,
  aliasState,
  modelFile,
  modelSummary,
  modelVersion,
  registration,
  tagPatch,
  versionNumber,
  versionReference,
} from "../schema/model-version.ts";
import { resourceName } from "../schema/names.ts";
import { timeText } from "../schema/record.ts";

const tags = ["Registry"];
const ofModel = z.object({ model: resourceName });
export const ofVersion = z.object({ model: resourceName, version: versionReference });
const ofAlias = z.object({ model: resourceName, alias: aliasName });
export const ofFile = ofVersion.extend({ path: z.string() });
const paging = {
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(1_000).optional(),
};
const search = z.string().max(2_000).optional().meta({
  description:
    "Conditions such as `name like 'churn%'`, `tag.env = prod`, `run = 17`, with `and` between them; other words are looked for in names, descriptions and tags",
});
const why = z.string().max(2_000);
const who = z.string().max(200).meta({ description: "Who wants it; the API key is named as well" });
const versionText = z.union([versionNumber, z.int().min(1).max(999_999_999).transform(String)]);
const patch = z
  .strictObject({ description: z.string().max(100_000).optional(), tags: tagPatch.optional() })
  .meta({ id: "ModelPatch", description: "What is not named stays; a tag that is null is taken away" });

const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
const body = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { "application/json": { schema } },
});
const binary = (type: string, description: string) => ({
  description,
  content: { [type]: { schema: z.string().meta({ format: "binary" }) } },
});

export const postModel = createRoute({
  method: "post",
  path: "/v1/models",
  summary: "Register files as the next version of a model",
  description:
    "A form: `name`, any number of files (a file's name may hold folders), and optionally `description`, `tag` and `property` (each `KEY=VALUE`, any number of times), `run`, `run_url`, `git` (JSON), `dataset_hash`, `environment_file`, `parent`, `why`, `feature_names` and `class_labels` (JSON or with commas), `sample` (JSON), or all of them as JSON in `metadata`. A repeat with the same `Idempotency-Key` answers the version that is there.",
  tags,
  request: {
    body: {
      required: true,
      content: {
        "multipart/form-data": {
          schema: z.object({
            name: resourceName,
            file: z.string().meta({ format: "binary" }),
            metadata: registration.partial().optional(),
          }),
        },
      },
    },
  },
  responses: {
    201: json(modelVersion, "The version"),
    200: json(modelVersion, "The version, which was registered with this Idempotency-Key before"),
  },
});
export const listModels = createRoute({
  method: "get",
  path: "/v1/models",
  summary: "Models by name: registered ones, and those known by their records or baselines only",
  tags,
  request: { query: z.object({ q: search, ...paging }) },
  responses: {
    200: json(z.object({ models: z.array(modelSummary), cursor: z.string().nullable() }), "The models"),
  },
});
export const getModel = createRoute({
  method: "get",
  path: "/v1/models/{model}",
  summary: "One model and its aliases",
  tags,
  request: { params: ofModel },
  responses: { 200: json(modelSummary, "The model") },
});
export const patchModel = createRoute({
  method: "patch",
  path: "/v1/models/{model}",
  summary: "Change a model's description and tags",
  tags,
  request: { params: ofModel, body: body(patch) },
  responses: { 200: json(modelSummary, "The model") },
});
export const deleteModel = createRoute({
  method: "delete",
  path: "/v1/models/{model}",
  summary:
    "Delete a model with all its versions; refused while one is deployed, an alias points to one, or a job works with one",
  tags,
  request: { params: ofModel },
  responses: { 204: { description: "Deleted; what was collected under its name stays" } },
});
export const listVersions = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions",
  summary: "Versions of a model, newest first",
  tags,
  request: { params: ofModel, query: z.object({ q: search, ...paging }) },
  responses: {
    200: json(z.object({ versions: z.array(modelVersion), cursor: z.string().nullable() }), "The versions"),
  },
});
export const getVersion = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions/{version}",
  summary: "One version: by its number, as @alias, or latest",
  tags,
  request: { params: ofVersion },
  responses: { 200: json(modelVersion, "The version") },
});
export const patchVersion = createRoute({
  method: "patch",
  path: "/v1/models/{model}/versions/{version}",
  summary: "Change a version's description and tags",
  tags,
  request: { params: ofVersion, body: body(patch) },
  responses: { 200: json(modelVersion, "The version") },
});
export const deleteVersion = createRoute({
  method: "delete",
  path: "/v1/models/{model}/versions/{version}",
  summary:
    "Delete a version and its files; refused while it is deployed, an alias points to it, or a job works with it",
  tags,
  request: { params: z.object({ model: resourceName, version: versionNumber }) },
  responses: { 204: { description: "Deleted" } },
});
export const listFiles = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions/{version}/files",
  summary: "A version's files with their hashes",
  tags,
  request: { params: ofVersion },
  responses: { 200: json(z.object({ files: z.array(modelFile) }), "The files") },
});
export const getFile = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions/{version}/files/{path}",
  summary: "One file of a version, checked against its hash while it is sent",
  tags,
  request: { params: ofFile },
  responses: { 200: binary("application/octet-stream", "The file") },
});
export const getArchive = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions/{version}/archive",
  summary: "All files of a version as a tar archive",
  tags,
  request: { params: ofVersion },
  responses: { 200: binary("application/x-tar", "The archive") },
});
export const listAliases = createRoute({
  method: "get",
  path: "/v1/models/{model}/aliases",
  summary: "What a model's aliases point to",
  tags,
  request: { params: ofModel },
  responses: { 200: json(z.object({ aliases: z.array(aliasState) }), "The aliases, by name") },
});
export const putAlias = createRoute({
  method: "put",
  path: "/v1/models/{model}/aliases/{alias}",
  summary: "Point an alias to a version",
  tags,
  request: {
    params: ofAlias,
    body: body(z.strictObject({ version: versionText, why: why.optional(), by: who.optional() })),
  },
  responses: { 200: json(aliasState, "What it points to now, since when and why") },
});
export const getAlias = createRoute({
  method: "get",
  path: "/v1/models/{model}/aliases/{alias}",
  summary: "What an alias points to, or pointed to at a time",
  tags,
  request: { params: ofAlias, query: z.object({ at: timeText.optional() }) },
  responses: { 200: json(aliasState, "The change that was in effect") },
});
export const deleteAlias = createRoute({
  method: "delete",
  path: "/v1/models/{model}/aliases/{alias}",
  summary: "Let an alias point to nothing; its history stays",
  tags,
  request: { params: ofAlias, query: z.object({ why: why.optional(), by: who.optional() }) },
  responses: { 204: { description: "It points to nothing" } },
});
export const aliasHistory = createRoute({
  method: "get",
  path: "/v1/models/{model}/alias-history",
  summary: "Every change of a model's aliases, or of one, newest first",
  tags,
  request: { params: ofModel, query: z.object({ alias: aliasName.optional(), ...paging }) },
  responses: {
    200: json(z.object({ changes: z.array(aliasChange), cursor: z.string().nullable() }), "The changes"),
  },
});
