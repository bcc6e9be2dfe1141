import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import {
  acknowledgement,
  alert,
  alertRuleSpec,
  channelSpec,
  shownChannel,
  targetHealth,
} from "../schema/alert.ts";
import { resourceName } from "../schema/names.ts";
import type { Alerts } from "./alerts.ts";

const params = z.object({ name: resourceName });
const times = { created_at: z.string(), updated_at: z.string() };
const ruleAnswer = z.object({ name: z.string(), spec: alertRuleSpec, ...times }).meta({ id: "AlertRule" });
const channelAnswer = z
  .object({ name: z.string(), spec: shownChannel, health: targetHealth, ...times })
  .meta({ id: "Channel", description: "Secrets, passwords and tokens are masked" });

const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
const body = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { "application/json": { schema } },
});
const tags = ["Alerts"];

const putRule = createRoute({
  method: "put",
  path: "/v1/alert-rules/{name}",
  summary: "Make or change an alert rule",
  tags,
  request: { params, body: body(alertRuleSpec) },
  responses: { 200: json(ruleAnswer, "The rule as it stands") },
});
const getRule = createRoute({
  method: "get",
  path: "/v1/alert-rules/{name}",
  summary: "One alert rule",
  tags,
  request: { params },
  responses: { 200: json(ruleAnswer, "The rule") },
});
const listRules = createRoute({
  method: "get",
  path: "/v1/alert-rules",
  summary: "The alert rules",
  tags,
  responses: { 200: json(z.object({ alert_rules: z.array(ruleAnswer) }), "The rules, by name") },
});
const deleteRule = createRoute({
  method: "delete",
  path: "/v1/alert-rules/{name}",
  summary: "Delete an alert rule; its open alerts end",
  tags,
  request: { params },
  responses: { 204: { description: "Deleted" } },
});
const putChannel = createRoute({
  method: "put",
  path: "/v1/channels/{name}",
  summary: "Make or change a channel; enables one that a 410 has disabled",
  tags,
  request: { params, body: body(channelSpec) },
  responses: { 200: json(channelAnswer, "The channel as it stands") },
});
const getChannel = createRoute({
  method: "get",
  path: "/v1/channels/{name}",
  summary: "One channel and how its deliveries go",
  tags,
  request: { params },
  responses: { 200: json(channelAnswer, "The channel") },
});
const listChannels = createRoute({
  method: "get",
  path: "/v1/channels",
  summary: "The channels",
  tags,
  responses: { 200: json(z.object({ channels: z.array(channelAnswer) }), "The channels, by name") },
});
const deleteChannel = createRoute({
  method: "delete",
  path: "/v1/channels/{name}",
  summary: "Delete a channel that no rule names",
  tags,
  request: { params },
  responses: { 204: { description: "Deleted" } },
});
const testChannel = createRoute({
  method: "post",
  path: "/v1/channels/{name}/test",
  summary: "Send a test through a channel and say how it went",
  tags,
  request: { params },
  responses: { 200: json(z.object({ outcome: z.string() }), "It was taken") },
});
const listAlerts = createRoute({
  method: "get",
  path: "/v1/alerts",
  summary: "Alerts, newest first",
  tags,
  request: {
    query: z.object({
      state: alert.shape.state.optional(),
      model: resourceName.optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
      cursor: z.string().max(64).optional(),
    }),
  },
  responses: { 200: json(z.object({ alerts: z.array(alert), cursor: z.string().nullable() }), "The alerts") },
});
const acknowledge = createRoute({
  method: "post",
  path: "/v1/alerts/{id}/ack",
  summary: "Acknowledge an alert: no more reminders until it resolves",
  tags,
  request: { params: z.object({ id: z.string().max(64) }), body: body(acknowledgement) },
  responses: { 200: json(alert, "The alert") },
});

export function addAlertRoutes(api: OpenAPIHono, alerts: Alerts): void {
  api.openapi(putRule, async (c) => {
    const { name } = c.req.valid("param");
    await alerts.putRule(name, c.req.valid("json"));
    return c.json(await alerts.rule(name), 200);
  });
  api.openapi(getRule, async (c) => c.json(await alerts.rule(c.req.valid("param").name), 200));
  api.openapi(listRules, async (c) => c.json({ alert_rules: await alerts.rules() }, 200));
  api.openapi(deleteRule, async (c) => {
    await alerts.removeRule(c.req.valid("param").name);
    return c.body(null, 204);
  });
  api.openapi(putChannel, async (c) => {
    const { name } = c.req.valid("param");
    await alerts.channels.put(name, c.req.valid("json"));
    return c.json(await alerts.channels.show(name), 200);
  });
  api.openapi(getChannel, async (c) => c.json(await alerts.channels.show(c.req.valid("param").name), 200));
  api.openapi(listChannels, async (c) => c.json({ channels: await alerts.channels.list() }, 200));
  api.openapi(deleteChannel, async (c) => {
    await alerts.removeChannel(c.req.valid("param").name);
    return c.body(null, 204);
  });
  api.openapi(testChannel, async (c) =>
    c.json({ outcome: await alerts.channels.test(c.req.valid("param").name) }, 200),
  );
  api.openapi(listAlerts, async (c) => {
    const { limit, cursor, ...query } = c.req.valid("query");
    const found = await alerts.list({ ...query, limit, before: cursor });
    return c.json({ alerts: found, cursor: found.length === limit ? (found.at(-1)?.id ?? null) : null }, 200);
  });
  api.openapi(acknowledge, async (c) =>
    c.json(await alerts.acknowledge(c.req.valid("param").id, c.req.valid("json")), 200),
  );
}
