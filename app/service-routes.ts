import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { docsPage, frontPage } from "./docs-page.ts";
import type { ServiceMetrics } from "./metrics.ts";
import { describeApi } from "./openapi.ts";
import { version } from "./package-root.ts";

const tags = ["Service"];
const html = { "text/html": { schema: z.string() } };

const healthz = createRoute({
  method: "get",
  path: "/healthz",
  summary: "Whether the process is alive",
  tags,
  responses: {
    200: {
      description: "It is",
      content: {
        "application/json": { schema: z.object({ status: z.literal("alive"), version: z.string() }) },
      },
    },
  },
});

const readiness = z.object({ status: z.enum(["starting", "ready", "stopping"]) });
const readyz = createRoute({
  method: "get",
  path: "/readyz",
  summary: "Whether calls are answered: not while it starts, nor while it stops",
  tags,
  responses: {
    200: { description: "They are", content: { "application/json": { schema: readiness } } },
    503: { description: "They are not", content: { "application/json": { schema: readiness } } },
  },
});

const metrics = createRoute({
  method: "get",
  path: "/metrics",
  summary: "Metrics for Prometheus; open to programs of this machine while the server listens on loopback",
  tags,
  responses: {
    200: { description: "Text exposition format", content: { "text/plain": { schema: z.string() } } },
  },
});

const openapi = createRoute({
  method: "get",
  path: "/openapi.json",
  summary: "This description, as OpenAPI 3.1",
  tags,
  responses: {
    200: {
      description: "The document",
      content: { "application/json": { schema: z.looseObject({ openapi: z.string() }) } },
    },
  },
});

const docs = createRoute({
  method: "get",
  path: "/docs",
  summary: "This description, as a page",
  tags,
  responses: { 200: { description: "The page", content: html } },
});

const front = createRoute({
  method: "get",
  path: "/",
  summary: "Where things are, as a page",
  tags,
  responses: { 200: { description: "The page", content: html } },
});

/** Calls about the service itself. They come last: the API document is of every route added so far. */
export function addServiceRoutes(
  api: OpenAPIHono,
  {
    metrics: shown,
    health,
    publicUrl,
  }: {
    readonly metrics: ServiceMetrics;
    /** Answers both health calls, also while there are no routes yet. */
    readonly health: (request: Request) => Response;
    readonly publicUrl: string;
  },
): void {
  // Whole answers of their own, which `openapi` would not take.
  for (const route of [healthz, readyz, openapi]) api.openAPIRegistry.registerPath(route);
  api.get("/healthz", ({ req }) => health(req.raw));
  api.get("/readyz", ({ req }) => health(req.raw));
  api.get("/openapi.json", () => Response.json(document));
  api.openapi(metrics, async (c) => {
    const { text, contentType } = await shown.read();
    return c.text(text, 200, { "content-type": contentType });
  });
  api.openapi(front, (c) => c.html(frontPage(version)));
  api.openapi(docs, (c) => c.html(docsPage(document, publicUrl)));
  const document = describeApi(api, publicUrl);
}
