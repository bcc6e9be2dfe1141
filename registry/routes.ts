import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { ServiceError } from "../schema/errors.ts";
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
import { bodyOf } from "./body-of.ts";
import { callerOf } from "./caller.ts";
import { cursorOf, readCount, readCursor } from "./cursor.ts";
import { archiveAnswer, fileAnswer, fileOf } from "./file-answers.ts";
import { readRegistration } from "./registration-form.ts";
import type { Registry } from "./registry.ts";
import { parseSearch } from "./search-query.ts";

const tags = ["Registry"];
const ofModel = z.object({ model: resourceName });
const ofVersion = z.object({ model: resourceName, version: versionReference });
const ofAlias = z.object({ model: resourceName, alias: aliasName });
const ofFile = ofVersion.extend({ path: z.string() });
const paging = {
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(1_000).optional(),
};
const search = z.string().max(2_000).optional().meta({
  description:
    "Conditions such as `name like 'churn%'`, `tag.env = prod`, `run = 17`, with `and` between them; other words are looked for in names, descriptions and tags",
});
const why = z.string().max(2_000);
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

const postModel = createRoute({
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
const listModels = createRoute({
  method: "get",
  path: "/v1/models",
  summary: "Models by name: registered ones, and those known by their records or baselines only",
  tags,
  request: { query: z.object({ q: search, ...paging }) },
  responses: {
    200: json(z.object({ models: z.array(modelSummary), cursor: z.string().nullable() }), "The models"),
  },
});
const getModel = createRoute({
  method: "get",
  path: "/v1/models/{model}",
  summary: "One model and its aliases",
  tags,
  request: { params: ofModel },
  responses: { 200: json(modelSummary, "The model") },
});
const patchModel = createRoute({
  method: "patch",
  path: "/v1/models/{model}",
  summary: "Change a model's description and tags",
  tags,
  request: { params: ofModel, body: body(patch) },
  responses: { 200: json(modelSummary, "The model") },
});
const deleteModel = createRoute({
  method: "delete",
  path: "/v1/models/{model}",
  summary: "Delete a model with all its versions; refused while one is deployed, or an alias points to one",
  tags,
  request: { params: ofModel },
  responses: { 204: { description: "Deleted; what was collected under its name stays" } },
});
const listVersions = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions",
  summary: "Versions of a model, newest first",
  tags,
  request: { params: ofModel, query: z.object({ q: search, ...paging }) },
  responses: {
    200: json(z.object({ versions: z.array(modelVersion), cursor: z.string().nullable() }), "The versions"),
  },
});
const getVersion = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions/{version}",
  summary: "One version: by its number, as @alias, or latest",
  tags,
  request: { params: ofVersion },
  responses: { 200: json(modelVersion, "The version") },
});
const patchVersion = createRoute({
  method: "patch",
  path: "/v1/models/{model}/versions/{version}",
  summary: "Change a version's description and tags",
  tags,
  request: { params: ofVersion, body: body(patch) },
  responses: { 200: json(modelVersion, "The version") },
});
const deleteVersion = createRoute({
  method: "delete",
  path: "/v1/models/{model}/versions/{version}",
  summary: "Delete a version and its files; refused while it is deployed, or an alias points to it",
  tags,
  request: { params: z.object({ model: resourceName, version: versionNumber }) },
  responses: { 204: { description: "Deleted" } },
});
const listFiles = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions/{version}/files",
  summary: "A version's files with their hashes",
  tags,
  request: { params: ofVersion },
  responses: { 200: json(z.object({ files: z.array(modelFile) }), "The files") },
});
const getFile = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions/{version}/files/{path}",
  summary: "One file of a version, checked against its hash while it is sent",
  tags,
  request: { params: ofFile },
  responses: { 200: binary("application/octet-stream", "The file") },
});
const getArchive = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions/{version}/archive",
  summary: "All files of a version as a tar archive",
  tags,
  request: { params: ofVersion },
  responses: { 200: binary("application/x-tar", "The archive") },
});
const listAliases = createRoute({
  method: "get",
  path: "/v1/models/{model}/aliases",
  summary: "What a model's aliases point to",
  tags,
  request: { params: ofModel },
  responses: { 200: json(z.object({ aliases: z.array(aliasState) }), "The aliases, by name") },
});
const putAlias = createRoute({
  method: "put",
  path: "/v1/models/{model}/aliases/{alias}",
  summary: "Point an alias to a version",
  tags,
  request: { params: ofAlias, body: body(z.strictObject({ version: versionText, why: why.optional() })) },
  responses: { 200: json(aliasState, "What it points to now, since when and why") },
});
const getAlias = createRoute({
  method: "get",
  path: "/v1/models/{model}/aliases/{alias}",
  summary: "What an alias points to, or pointed to at a time",
  tags,
  request: { params: ofAlias, query: z.object({ at: timeText.optional() }) },
  responses: { 200: json(aliasState, "The change that was in effect") },
});
const deleteAlias = createRoute({
  method: "delete",
  path: "/v1/models/{model}/aliases/{alias}",
  summary: "Let an alias point to nothing; its history stays",
  tags,
  request: { params: ofAlias, query: z.object({ why: why.optional() }) },
  responses: { 204: { description: "It points to nothing" } },
});
const aliasHistory = createRoute({
  method: "get",
  path: "/v1/models/{model}/alias-history",
  summary: "Every change of a model's aliases, or of one, newest first",
  tags,
  request: { params: ofModel, query: z.object({ alias: aliasName.optional(), ...paging }) },
  responses: {
    200: json(z.object({ changes: z.array(aliasChange), cursor: z.string().nullable() }), "The changes"),
  },
});

/** The calls about registered models. */
export function addRegistryRoutes(
  api: OpenAPIHono,
  { registry, flush }: { readonly registry: Registry; readonly flush: () => Promise<void> },
): void {
  // The form is read as it comes, and files are answered as they are read: neither is for `openapi`, which parses both.
  for (const route of [postModel, getFile, getArchive]) api.openAPIRegistry.registerPath(route);
  api.post("/v1/models", async (c) => {
    const { fields, files } = await registry.receive(bodyOf(c), c.req.header("content-type") ?? "");
    const said = await releasedOnError(
      () => readRegistration(fields),
      () => registry.blobs.release(files),
    );
    const { outcome, version } = await registry.register(said, files, {
      by: callerOf(c),
      idempotencyKey: c.req.header("idempotency-key"),
    });
    return c.json(version, outcome === "known" ? 200 : 201);
  });
  api.openapi(listModels, async (c) => {
    const { q, limit, cursor } = c.req.valid("query");
    await flush(); // a model whose first records were just acknowledged is one
    const models = await registry.models({
      conditions: parseSearch(q ?? "", "own"),
      known: "in-any-way",
      order: [{ by: "name", direction: "up" }],
      limit,
      after: readCursor(cursor),
    });
    const last = models.length === limit ? models.at(-1) : undefined;
    return c.json({ models, cursor: last ? cursorOf(last.name) : null }, 200);
  });
  api.openapi(getModel, async (c) => {
    await flush();
    return c.json(await registry.model(c.req.valid("param").model), 200);
  });
  api.openapi(patchModel, async (c) =>
    c.json(await registry.changeModel(c.req.valid("param").model, c.req.valid("json")), 200),
  );
  api.openapi(deleteModel, async (c) => {
    await registry.removeModel(c.req.valid("param").model, callerOf(c));
    return c.body(null, 204);
  });
  addVersionRoutes(api, registry);
  addAliasRoutes(api, registry);
}

function addVersionRoutes(api: OpenAPIHono, registry: Registry): void {
  api.openapi(listVersions, async (c) => {
    const { model } = c.req.valid("param");
    const { q, limit, cursor } = c.req.valid("query");
    await registry.model(model);
    const offset = readCount(cursor) ?? 0;
    const versions = await registry.versions({
      conditions: [{ field: "name", operator: "=", values: [model] }, ...parseSearch(q ?? "", "own")],
      order: [{ by: "version", direction: "down" }],
      limit,
      offset,
    });
    return c.json({ versions, cursor: versions.length === limit ? cursorOf(offset + limit) : null }, 200);
  });
  api.openapi(getVersion, async (c) => {
    const { model, version } = c.req.valid("param");
    return c.json(await registry.version(model, version), 200);
  });
  api.openapi(patchVersion, async (c) => {
    const { model, version } = c.req.valid("param");
    return c.json(await registry.changeVersion(model, version, c.req.valid("json")), 200);
  });
  api.openapi(deleteVersion, async (c) => {
    const { model, version } = c.req.valid("param");
    await registry.remove(model, version, callerOf(c));
    return c.body(null, 204);
  });
  api.openapi(listFiles, async (c) => {
    const { model, version } = c.req.valid("param");
    return c.json({ files: (await registry.version(model, version)).files }, 200);
  });
  api.get("/v1/models/:model/versions/:version/files/:path{.+}", async (c) => {
    const { model, version, path } = valid(ofFile, c.req.param());
    return fileAnswer(c.req.raw, fileOf(await registry.version(model, version), path), registry.blobs);
  });
  api.get("/v1/models/:model/versions/:version/archive", async (c) => {
    const { model, version } = valid(ofVersion, c.req.param());
    return archiveAnswer(c.req.raw, await registry.version(model, version), registry.blobs);
  });
}

function addAliasRoutes(api: OpenAPIHono, registry: Registry): void {
  api.openapi(listAliases, async (c) => {
    const { model } = c.req.valid("param");
    await registry.model(model);
    const aliases = await registry.aliases.current(model);
    return c.json({ aliases: aliases.map((change) => aliasState.strip().parse(change)) }, 200);
  });
  api.openapi(putAlias, async (c) => {
    const { version, why: reason } = c.req.valid("json");
    const move = { ...c.req.valid("param"), version, by: callerOf(c) ?? null, why: reason ?? null };
    return c.json(await registry.aliases.set(move), 200);
  });
  api.openapi(getAlias, async (c) => {
    const { at } = c.req.valid("query");
    const when = at === undefined ? undefined : new Date(at);
    return c.json(await registry.aliases.find({ ...c.req.valid("param"), at: when }), 200);
  });
  api.openapi(deleteAlias, async (c) => {
    const { why: reason } = c.req.valid("query");
    await registry.aliases.remove({ ...c.req.valid("param"), by: callerOf(c) ?? null, why: reason ?? null });
    return c.body(null, 204);
  });
  api.openapi(aliasHistory, async (c) => {
    const { model } = c.req.valid("param");
    const { alias, limit, cursor } = c.req.valid("query");
    await registry.model(model);
    const found = await registry.aliases.history({ model, alias, limit, before: readCount(cursor) });
    const last = found.length === limit ? found.at(-1) : undefined;
    const changes = found.map(({ number: _, ...change }) => change);
    return c.json({ changes, cursor: last ? cursorOf(last.number) : null }, 200);
  });
}

function valid<T>(schema: z.ZodType<T>, params: Readonly<Record<string, string>>): T {
  const read = schema.safeParse(params);
  if (read.success) return read.data;
  const issues = read.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  throw new ServiceError("invalid-input", `the path is not valid: ${issues[0]?.path} ${issues[0]?.message}`, {
    issues,
  });
}

async function releasedOnError<T>(work: () => T, release: () => Promise<void>): Promise<T> {
  try {
    return work();
  } catch (error) {
    await release();
    throw error;
  }
}
