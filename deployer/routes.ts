import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { deploymentSpec, deploymentStatus } from "../schema/deployment.ts";
import { resourceName } from "../schema/names.ts";
import type { Deployments } from "./deployments.ts";
import { readLogs, replicaLog } from "./replica-logs.ts";

const params = z.object({ name: resourceName });
const why = z.string().max(2_000).optional().meta({ description: "Why; it is kept with the plan" });
const query = z.object({ why });
const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
const tags = ["Deployments"];

const putDeployment = createRoute({
  method: "put",
  path: "/v1/deployments/{name}",
  summary: "Deploy versions of a model, or change what is deployed; answers when it is served",
  description:
    "A change is a new plan: new replicas are started, warmed and checked beside the old ones, and only then do these take no more calls. When the new ones cannot serve, the old ones go on and the answer is 409.",
  tags,
  request: {
    params,
    query,
    body: { required: true, content: { "application/json": { schema: deploymentSpec } } },
  },
  responses: { 200: json(deploymentStatus, "The deployment") },
});
const getDeployment = createRoute({
  method: "get",
  path: "/v1/deployments/{name}",
  summary: "A deployment: address, health, traffic, and the plans it has had",
  tags,
  request: { params },
  responses: { 200: json(deploymentStatus, "The deployment") },
});
const listDeployments = createRoute({
  method: "get",
  path: "/v1/deployments",
  summary: "The deployments, or those that fit",
  tags,
  request: {
    query: z.object({
      model: resourceName.optional(),
      version: z
        .string()
        .max(64)
        .optional()
        .meta({ description: "Number of a version that has some of the calls, or is the shadow" }),
      tag: z
        .union([z.string(), z.array(z.string())])
        .optional()
        .meta({ description: "key=value, or a key; may be given again, and then all have to fit" }),
      state: z.enum(["running", "stopped"]).optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
      cursor: resourceName.optional().meta({ description: "Of the page before" }),
    }),
  },
  responses: {
    200: json(
      z.object({ deployments: z.array(deploymentStatus), cursor: z.string().nullable() }),
      "The deployments, by name",
    ),
  },
});
const promote = createRoute({
  method: "post",
  path: "/v1/deployments/{name}/promote",
  summary: "Give all calls to the canary, or to the version that is named",
  tags,
  request: {
    params,
    query: query.extend({ version: z.string().max(64).optional() }),
  },
  responses: { 200: json(deploymentStatus, "The deployment") },
});
const rollback = createRoute({
  method: "post",
  path: "/v1/deployments/{name}/rollback",
  summary: "Go back to what was served before",
  tags,
  request: { params, query },
  responses: { 200: json(deploymentStatus, "The deployment") },
});
const stopDeployment = createRoute({
  method: "delete",
  path: "/v1/deployments/{name}",
  summary: "Stop a deployment; its history stays",
  tags,
  request: { params, query },
  responses: { 200: json(deploymentStatus, "The deployment") },
});
const getLogs = createRoute({
  method: "get",
  path: "/v1/deployments/{name}/logs",
  summary: "The last lines that the replicas and their group have written",
  tags,
  request: { params, query: z.object({ lines: z.coerce.number().int().min(1).max(1_000).default(50) }) },
  responses: { 200: json(z.object({ logs: z.array(replicaLog) }), "The newest file first") },
});

/** The calls about deployments. */
export function addDeployerRoutes(api: OpenAPIHono, deployments: Deployments): void {
  api.openapi(putDeployment, async (c) =>
    c.json(await deployments.put(c.req.valid("param").name, c.req.valid("json"), c.req.valid("query")), 200),
  );
  api.openapi(listDeployments, async (c) => {
    const { tag, limit, cursor, ...wanted } = c.req.valid("query");
    const tags = tag === undefined ? [] : [tag].flat();
    return c.json(await deployments.list({ ...wanted, tags }, { limit, cursor }), 200);
  });
  api.openapi(getDeployment, async (c) => c.json(await deployments.get(c.req.valid("param").name), 200));
  api.openapi(promote, async (c) => {
    const { version, ...reason } = c.req.valid("query");
    return c.json(await deployments.promote(c.req.valid("param").name, version, reason), 200);
  });
  api.openapi(rollback, async (c) =>
    c.json(await deployments.rollback(c.req.valid("param").name, c.req.valid("query")), 200),
  );
  api.openapi(stopDeployment, async (c) =>
    c.json(await deployments.stop(c.req.valid("param").name, c.req.valid("query")), 200),
  );
  api.openapi(getLogs, async (c) => {
    const folder = await deployments.folderOf(c.req.valid("param").name);
    return c.json({ logs: readLogs(folder, c.req.valid("query").lines) }, 200);
  });
}
