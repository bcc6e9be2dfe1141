import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { versionNumber } from "../schema/model-version.ts";
import { resourceName } from "../schema/names.ts";
import { versionJob } from "../schema/version-job.ts";
import { callerOf } from "./caller.ts";
import type { Registry } from "./registry.ts";

const tags = ["Registry"];
const ofVersion = z.object({ model: resourceName, version: versionNumber });
const ofJob = ofVersion.extend({ id: resourceName });
const said = z.strictObject({
  what: z
    .string()
    .min(1)
    .max(200)
    .regex(/^\P{Cc}+$/u, "expected a line of text")
    .meta({ description: "In a few words, such as `profile run of ana on box-3`" }),
});
const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

const listJobs = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions/{version}/jobs",
  summary: "Running jobs that work with a version",
  tags,
  request: { params: ofVersion },
  responses: { 200: json(z.object({ jobs: z.array(versionJob) }), "The jobs, oldest first") },
});
const putJob = createRoute({
  method: "put",
  path: "/v1/models/{model}/versions/{version}/jobs/{id}",
  summary: "Say that a job works with a version, which is not deleted for the next minute",
  description:
    "Whoever may read a version's files may say so. Commands that fetch a version say it every 20 seconds while they run; ids are the caller's choice.",
  tags,
  request: { params: ofJob, body: { required: true, content: { "application/json": { schema: said } } } },
  responses: { 200: json(versionJob, "The job, and until when it counts as running") },
});
const deleteJob = createRoute({
  method: "delete",
  path: "/v1/models/{model}/versions/{version}/jobs/{id}",
  summary: "Say that a job has ended",
  tags,
  request: { params: ofJob },
  responses: { 204: { description: "It counts as ended, whether it was known or not" } },
});

/** The calls about jobs that work with versions. */
export function addJobRoutes(api: OpenAPIHono, registry: Registry): void {
  api.openapi(listJobs, async (c) => {
    const { model, version } = c.req.valid("param");
    await registry.version(model, version);
    return c.json({ jobs: [...registry.jobs.of({ model, version })] }, 200);
  });
  api.openapi(putJob, async (c) => {
    const { what } = c.req.valid("json");
    const key = callerOf(c);
    const named = key === undefined ? what : `${what} (key ${key})`;
    return c.json(await registry.jobs.keep({ ...c.req.valid("param"), what: named }), 200);
  });
  api.openapi(deleteJob, (c) => {
    registry.jobs.end(c.req.valid("param"));
    return c.body(null, 204);
  });
}
