import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { resourceName } from "../schema/names.ts";
import {
  retrainDecision,
  retrainPolicySpec,
  retrainReport,
  retrainRequest,
  retrainRun,
  shownRetrainPolicy,
} from "../schema/retrain.ts";
import type { Retrain } from "./retrain.ts";
import { runTokenOf } from "./status-token.ts";

const params = z.object({ name: resourceName });
const runParams = z.object({ id: z.string().max(64) });
const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
const body = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { "application/json": { schema } },
});
const tags = ["Retraining"];

const putPolicy = createRoute({
  method: "put",
  path: "/v1/retrain-policies/{name}",
  summary: "Make or change a retrain policy; enables a target that a 410 has disabled",
  tags,
  request: { params, body: body(retrainPolicySpec) },
  responses: { 200: json(shownRetrainPolicy, "The policy as it stands") },
});
const getPolicy = createRoute({
  method: "get",
  path: "/v1/retrain-policies/{name}",
  summary: "One retrain policy and how its deliveries go",
  tags,
  request: { params },
  responses: { 200: json(shownRetrainPolicy, "The policy") },
});
const listPolicies = createRoute({
  method: "get",
  path: "/v1/retrain-policies",
  summary: "The retrain policies",
  tags,
  responses: {
    200: json(z.object({ retrain_policies: z.array(shownRetrainPolicy) }), "The policies, by name"),
  },
});
const deletePolicy = createRoute({
  method: "delete",
  path: "/v1/retrain-policies/{name}",
  summary: "Delete a retrain policy; its runs and decisions stay",
  tags,
  request: { params },
  responses: { 204: { description: "Deleted" } },
});
const listDecisions = createRoute({
  method: "get",
  path: "/v1/retrain-policies/{name}/decisions",
  summary: "What a policy decided after each window, and why, newest first",
  tags,
  request: { params, query: z.object({ limit: z.coerce.number().int().min(1).max(500).default(50) }) },
  responses: { 200: json(z.object({ decisions: z.array(retrainDecision) }), "The decisions") },
});
const postRun = createRoute({
  method: "post",
  path: "/v1/retrain-runs",
  summary: "Ask for retraining by hand",
  tags,
  request: { body: body(retrainRequest) },
  responses: { 201: json(retrainRun, "The run") },
});
const listRuns = createRoute({
  method: "get",
  path: "/v1/retrain-runs",
  summary: "Retraining runs, newest first",
  tags,
  request: {
    query: z.object({
      model: resourceName.optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
      cursor: z.string().max(64).optional(),
    }),
  },
  responses: {
    200: json(z.object({ runs: z.array(retrainRun), cursor: z.string().nullable() }), "The runs"),
  },
});
const getRun = createRoute({
  method: "get",
  path: "/v1/retrain-runs/{id}",
  summary: "One retraining run",
  tags,
  request: { params: runParams },
  responses: { 200: json(retrainRun, "The run") },
});
const postStatus = createRoute({
  method: "post",
  path: "/v1/retrain-runs/{id}/status",
  summary: "The trainer reports: started, completed or failed",
  description:
    "With the `status_token` of the request, or an API key that may change things, as bearer token. The same report again is fine; a report on a run that is over is a conflict.",
  tags,
  request: { params: runParams, body: body(retrainReport) },
  responses: { 200: json(retrainRun, "The run") },
});

/**
 * The calls about retraining. A report may come with the run's own token, which is checked here; any other caller has
 * been let in, or not, before it comes here.
 */
export function addRetrainRoutes(api: OpenAPIHono, retrain: Retrain): void {
  api.openapi(putPolicy, async (c) => {
    const { name } = c.req.valid("param");
    await retrain.putPolicy(name, c.req.valid("json"));
    return c.json(await retrain.policies.show(name), 200);
  });
  api.openapi(getPolicy, async (c) => c.json(await retrain.policies.show(c.req.valid("param").name), 200));
  api.openapi(listPolicies, async (c) => c.json({ retrain_policies: await retrain.policies.list() }, 200));
  api.openapi(deletePolicy, async (c) => {
    await retrain.policies.remove(c.req.valid("param").name);
    return c.body(null, 204);
  });
  api.openapi(listDecisions, async (c) => {
    const { limit } = c.req.valid("query");
    return c.json({ decisions: await retrain.decisions(c.req.valid("param").name, limit) }, 200);
  });
  api.openapi(postRun, async (c) => c.json(await retrain.request(c.req.valid("json")), 201));
  api.openapi(listRuns, async (c) => {
    const { limit, cursor, model } = c.req.valid("query");
    const runs = await retrain.runs({ model, limit, before: cursor });
    return c.json({ runs, cursor: runs.length === limit ? (runs.at(-1)?.id ?? null) : null }, 200);
  });
  api.openapi(getRun, async (c) => c.json(await retrain.run(c.req.valid("param").id), 200));
  api.openapi(postStatus, async (c) => {
    const { id } = c.req.valid("param");
    const token = runTokenOf(c.req.header("authorization"));
    if (token !== undefined) await retrain.checkToken(id, token);
    return c.json(await retrain.report(id, c.req.valid("json")), 200);
  });
}
