import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { z } from "zod";
import { ServiceError } from "../../schema/errors.ts";
import { bodyOf } from "../body-of.ts";
import { callerOf } from "../caller.ts";
import { fileAnswer } from "../file-answers.ts";
import type { Registry } from "../registry.ts";
import { type MlflowCall, mlflowCalls } from "./calls.ts";
import type { PendingArtifacts } from "./pending-artifacts.ts";

const PREFIX = "/api/2.0/mlflow";
const ARTIFACT_PREFIX = "/api/2.0/mlflow-artifacts/artifacts";
const tags = ["MLflow"];
const ofPath = z.object({ path: z.string() });

export interface MlflowRoutesParts {
  readonly registry: Registry;
  readonly pending: PendingArtifacts;
}

/** The calls that MLflow's own client makes to a registry, and to the artifacts behind it. */
export function addMlflowRoutes(api: OpenAPIHono, parts: MlflowRoutesParts): void {
  for (const call of mlflowCalls) {
    describe(api, call);
    api.on([...call.methods], `${PREFIX}/${call.path}`, async (c) => {
      const input = read(call, c.req.method === "GET" ? queryOf(c) : await jsonOf(c));
      const by = callerOf(c);
      return Response.json(await call.run(input as never, { ...parts, by }));
    });
  }
  addArtifactRoutes(api, parts);
}

function addArtifactRoutes(api: OpenAPIHono, { registry, pending }: MlflowRoutesParts): void {
  const answers = { 200: { description: "As MLflow's protocol has it" } };
  const described = [
    ["get", ARTIFACT_PREFIX, "Files of a version, or sent ahead of one, under a path"],
    ["get", `${ARTIFACT_PREFIX}/{path}`, "One file of a version: models/NAME/VERSION/PATH"],
    ["put", `${ARTIFACT_PREFIX}/{path}`, "Send a file ahead of the version it will belong to"],
  ] as const;
  for (const [method, path, summary] of described) {
    const request = path.includes("{") ? { params: ofPath } : { query: ofPath.partial() };
    api.openAPIRegistry.registerPath({ method, path, summary, tags, request, responses: answers });
  }
  api.get(ARTIFACT_PREFIX, async (c) => {
    const asked = c.req.query("path") ?? "";
    const place = placeOf(asked);
    const files = place ? (await registry.version(place.model, place.version)).files : pending.list();
    return Response.json({ files: entriesWithin(files, place?.path ?? asked) });
  });
  api.get(`${ARTIFACT_PREFIX}/:path{.+}`, async (c) => {
    const place = placeOf(c.req.param("path"));
    if (!place)
      throw new ServiceError("not-found", "files that were sent ahead are there once they are registered");
    const version = await registry.version(place.model, place.version);
    return fileAnswer(c.req.raw, { version, path: place.path }, registry.blobs);
  });
  api.put(`${ARTIFACT_PREFIX}/:path{.+}`, async (c) => {
    const path = c.req.param("path");
    if (placeOf(path))
      throw new ServiceError("invalid-input", "the files of a version do not change: send them elsewhere");
    await pending.put(path, bodyOf(c));
    return Response.json({});
  });
}

/** What a path among the artifacts names when it is that of a version: `models/NAME/VERSION` and a path in it. */
function placeOf(
  path: string,
): { readonly model: string; readonly version: string; readonly path: string } | undefined {
  const [, model, version, rest] = /^\/*models\/([^/]+)\/([1-9]\d{0,8})(?:\/+(.*))?$/.exec(path) ?? [];
  return model === undefined || version === undefined ? undefined : { model, version, path: rest ?? "" };
}

/** Files and folders right under a path, by their names. */
function entriesWithin(files: readonly { readonly path: string; readonly bytes: number }[], path: string) {
  const prefix = path.replace(/^\/+|\/+$/g, "");
  const below = files
    .filter((file) => prefix === "" || file.path.startsWith(`${prefix}/`))
    .map((file) => ({ ...file, path: prefix === "" ? file.path : file.path.slice(prefix.length + 1) }));
  const folders = new Set(
    below.filter((file) => file.path.includes("/")).map((file) => file.path.split("/")[0]),
  );
  return [
    ...[...folders].map((name) => ({ path: name, is_dir: true })),
    ...below
      .filter((file) => !file.path.includes("/"))
      .map((file) => ({ path: file.path, is_dir: false, file_size: file.bytes })),
  ];
}

/** @throws ServiceError `invalid-input`, as MLflow says it: naming the parameter. */
function read({ input }: MlflowCall, given: unknown): unknown {
  const parsed = input.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ServiceError(
    "invalid-input",
    `Invalid value for parameter '${issue?.path.join(".")}': ${issue?.message}`,
  );
}

/** A parameter that comes more than once is a list. */
function queryOf(c: Context): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(c.req.queries()).map(([name, values]) => [
      name,
      values.length === 1 ? (values[0] ?? "") : values,
    ]),
  );
}

async function jsonOf(c: Context): Promise<unknown> {
  const text = await c.req.text();
  if (text === "") return queryOf(c);
  try {
    return JSON.parse(text);
  } catch {
    throw new ServiceError("invalid-input", "the body is not JSON");
  }
}

function describe(api: OpenAPIHono, { methods, path, summary, input }: MlflowCall): void {
  const answer = z.looseObject({}).meta({ description: "As MLflow's protocol has it" });
  for (const method of methods) {
    api.openAPIRegistry.registerPath({
      method: method.toLowerCase() as "get" | "post" | "patch" | "delete",
      path: `${PREFIX}/${path}`,
      summary,
      tags,
      ...(method === "GET"
        ? { request: { query: input as z.ZodObject } }
        : { request: { body: { required: true, content: { "application/json": { schema: input } } } } }),
      responses: { 200: { description: "Done", content: { "application/json": { schema: answer } } } },
    });
  }
}
