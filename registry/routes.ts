import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { z } from "zod";
import { ServiceError } from "../schema/errors.ts";
import { aliasState } from "../schema/model-version.ts";
import { bodyOf } from "./body-of.ts";
import { callerOf, whoOf } from "./caller.ts";
import { cursorOf, readCount, readCursor } from "./cursor.ts";
import { archiveAnswer, fileAnswer } from "./file-answers.ts";
import { addJobRoutes } from "./job-routes.ts";
import { readRegistration } from "./registration-form.ts";
import type { Registry } from "./registry.ts";
import {
  aliasHistory,
  deleteAlias,
  deleteModel,
  deleteVersion,
  getAlias,
  getArchive,
  getFile,
  getModel,
  getVersion,
  listAliases,
  listFiles,
  listModels,
  listVersions,
  ofFile,
  ofVersion,
  patchModel,
  patchVersion,
  postModel,
  putAlias,
} from "./route-definitions.ts";
import { parseSearch } from "./search-query.ts";

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
  addJobRoutes(api, registry);
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
    const of = { version: await registry.version(model, version), path };
    return fileAnswer(c.req.raw, of, registry.blobs);
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
    const { version, why: reason, by: claimed } = c.req.valid("json");
    const move = { ...c.req.valid("param"), version, ...moved(c, reason, claimed) };
    return c.json(await registry.aliases.set(move), 200);
  });
  api.openapi(getAlias, async (c) => {
    const { at } = c.req.valid("query");
    const when = at === undefined ? undefined : new Date(at);
    return c.json(await registry.aliases.find({ ...c.req.valid("param"), at: when }), 200);
  });
  api.openapi(deleteAlias, async (c) => {
    const { why: reason, by: claimed } = c.req.valid("query");
    await registry.aliases.remove({ ...c.req.valid("param"), ...moved(c, reason, claimed) });
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

function moved(c: Context, why: string | undefined, claimed: string | undefined) {
  return { by: whoOf(claimed, callerOf(c)) ?? null, why: why ?? null };
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
