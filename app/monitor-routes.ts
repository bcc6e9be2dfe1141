import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { windowResult } from "../schema/drift-result.ts";
import { durationMs } from "../schema/duration.ts";
import { ServiceError } from "../schema/errors.ts";
import { monitorSpec } from "../schema/monitor.ts";
import { resourceName } from "../schema/names.ts";
import { timeText } from "../schema/record.ts";
import type { StoredMonitor } from "../store/monitors.ts";
import { checkWindow, type MonitorParts } from "./monitor.ts";
import { hideMonitor, showNewest } from "./show-result.ts";
import { windowsWithin } from "./window-grid.ts";

const MOST_WINDOWS_PER_CALL = 1_000;

const monitorAnswer = z
  .object({
    model: z.string(),
    name: z.string(),
    spec: monitorSpec,
    created_at: z.string(),
    updated_at: z.string(),
    next_window: z.string().nullable().meta({ description: "Start of the first window not yet checked" }),
  })
  .meta({ id: "Monitor" });
const params = z.object({ model: resourceName, name: resourceName });
const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

const putMonitor = createRoute({
  method: "put",
  path: "/v1/models/{model}/monitors/{name}",
  summary: "Make or change a monitor",
  tags: ["Monitors"],
  request: { params, body: { required: true, content: { "application/json": { schema: monitorSpec } } } },
  responses: { 200: json(monitorAnswer, "The monitor as it stands") },
});
const getMonitor = createRoute({
  method: "get",
  path: "/v1/models/{model}/monitors/{name}",
  summary: "One monitor",
  tags: ["Monitors"],
  request: { params },
  responses: { 200: json(monitorAnswer, "The monitor") },
});
const listMonitors = createRoute({
  method: "get",
  path: "/v1/models/{model}/monitors",
  summary: "The monitors of a model",
  tags: ["Monitors"],
  request: { params: z.object({ model: resourceName }) },
  responses: { 200: json(z.object({ monitors: z.array(monitorAnswer) }), "The monitors") },
});
const deleteMonitor = createRoute({
  method: "delete",
  path: "/v1/models/{model}/monitors/{name}",
  summary: "Delete a monitor; its results stay",
  tags: ["Monitors"],
  request: { params },
  responses: { 204: { description: "Deleted" } },
});
const runMonitor = createRoute({
  method: "post",
  path: "/v1/models/{model}/monitors/{name}/run",
  summary:
    "Check every window that lies within [from, to) now, oldest first, with alerts and retraining decided as if live",
  tags: ["Monitors"],
  request: {
    params,
    body: {
      required: true,
      content: { "application/json": { schema: z.strictObject({ from: timeText, to: timeText }) } },
    },
  },
  responses: { 200: json(z.object({ windows: z.array(windowResult) }), "The results, oldest first") },
});
const driftResults = createRoute({
  method: "get",
  path: "/v1/models/{model}/drift",
  summary: "Results of a model's monitors over time, newest first",
  tags: ["Monitors"],
  request: {
    params: z.object({ model: resourceName }),
    query: z.object({
      monitor: resourceName.optional(),
      feature: z.string().optional(),
      from: timeText.optional(),
      to: timeText.optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
      cursor: timeText.optional(),
    }),
  },
  responses: {
    200: json(
      z.object({ windows: z.array(windowResult), cursor: z.string().nullable() }),
      "Windows with their columns",
    ),
  },
});

export function addMonitorRoutes(api: OpenAPIHono, parts: MonitorParts): void {
  const existing = async (model: string, name: string): Promise<StoredMonitor> => {
    const monitor = await parts.monitors.find(model, name);
    if (monitor) return monitor;
    const others = (await parts.monitors.list(model)).map((other) => other.name);
    const known =
      others.length > 0 ? `it has ${others.join(", ")}` : `PUT /v1/models/${model}/monitors/${name} makes it`;
    throw new ServiceError("not-found", `model "${model}" has no monitor "${name}": ${known}`);
  };

  api.openapi(putMonitor, async (c) => {
    const { model, name } = c.req.valid("param");
    const spec = c.req.valid("json");
    const baseline = await parts.baselines.get(model, spec.version); // a monitor without a baseline could say nothing
    const unknown = (spec.columns ?? []).filter(
      (column) => !baseline.columns.some((known) => known.name === column),
    );
    if (unknown.length > 0) {
      throw new ServiceError(
        "invalid-input",
        `the baseline of model "${model}" has no column "${unknown[0]}": it has ${baseline.columns.map((column) => column.name).join(", ")}`,
      );
    }
    await parts.monitors.put({ model, name, spec, now: parts.now() });
    return c.json(await existing(model, name), 200);
  });
  api.openapi(getMonitor, async (c) => {
    const { model, name } = c.req.valid("param");
    return c.json(await existing(model, name), 200);
  });
  api.openapi(listMonitors, async (c) =>
    c.json({ monitors: await parts.monitors.list(c.req.valid("param").model) }, 200),
  );
  api.openapi(deleteMonitor, async (c) => {
    const { model, name } = c.req.valid("param");
    await existing(model, name);
    await parts.monitors.remove(model, name);
    await parts.alerts.endForMonitor(model, name); // nothing would resolve them any more
    hideMonitor(parts.metrics, { model, name });
    return c.body(null, 204);
  });
  api.openapi(runMonitor, async (c) => {
    const { model, name } = c.req.valid("param");
    const { from, to } = c.req.valid("json");
    const monitor = await existing(model, name);
    const length = durationMs(monitor.spec.window);
    const origin = monitor.spec.start === undefined ? undefined : new Date(monitor.spec.start);
    if ((Date.parse(to) - Date.parse(from)) / length > MOST_WINDOWS_PER_CALL) {
      throw new ServiceError(
        "too-large",
        `from ${from} to ${to} are more than ${MOST_WINDOWS_PER_CALL} windows of ${monitor.spec.window}: ask for a shorter time`,
      );
    }
    const windows = [];
    for (const window of windowsWithin(new Date(from), new Date(to), length, origin))
      windows.push(await checkWindow(parts, monitor, window));
    await showNewest(parts, monitor);
    return c.json({ windows }, 200);
  });
  api.openapi(driftResults, async (c) => {
    const { limit, cursor, ...query } = c.req.valid("query");
    const windows = await parts.results.find({ ...query, ...c.req.valid("param"), limit, before: cursor });
    return c.json({ windows, cursor: windows.length === limit ? (windows.at(-1)?.to ?? null) : null }, 200);
  });
}
