import type { IncomingMessage } from "node:http";
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { azureCollections } from "../../protocols/capture-azure-table.ts";
import { resourceName } from "../../schema/names.ts";
import { captureAnswer, timeText } from "../../schema/record.ts";
import { type ForeignBodies, foreignQuery } from "./foreign-bodies.ts";

const query = foreignQuery.pick({ id: true, inputs: true, outputs: true, label: true, time: true }).extend({
  model: resourceName
    .optional()
    .meta({ description: "Name to store under; needed where the format names no model (SageMaker)" }),
  collection: z.enum(azureCollections).optional().meta({
    description:
      "What a CSV of Azure ML's first data collector has; labels: ground truth, also in other CSV, Parquet and lines of JSON, by correlationid",
  }),
  at: timeText.optional().meta({
    description: "Event time of what comes without one, which records of KServe's logger in a file do",
  }),
});

const event = { type: "object" } as const;
const problems = {
  400: { description: "The body as a whole cannot be read" },
  413: { description: "The body is longer than the limit" },
  429: { description: "Too much is waiting: try again after Retry-After seconds" },
  503: { description: "Nothing can be made durable just now: try again after Retry-After seconds" },
} as const;

const TABLES = {
  "text/csv": { schema: { type: "string" } },
  "application/vnd.apache.parquet": { schema: { type: "string", format: "binary" } },
} as const;

/** They take CloudEvents too. */
const OWN_PATHS = ["/v1/models/:model/records", "/v1/models/:model/labels"] as const;

/** The ways in for what other systems capture. */
export function addCaptureRoutes(api: OpenAPIHono, foreign: ForeignBodies): void {
  const formats = [
    {
      path: "/v1/capture/kserve",
      summary: "Take events of the loggers of KServe and Seldon Core, or what KServe's wrote to files",
      format: "events",
      query: query.omit({ collection: true, label: true, time: true }),
    },
    {
      path: "/v1/capture/azureml",
      summary: "Take lines of Azure ML's data collector, a CSV file of its first one, or ground truth for it",
      format: "events",
      query: query.omit({ at: true }),
    },
    {
      path: "/v1/capture/sagemaker",
      summary: "Take lines of SageMaker's data capture, or of its ground truth",
      format: "sagemaker",
      query: query.omit({ at: true, collection: true, label: true, time: true }),
    },
    {
      path: "/v1/events-in",
      summary: "Take CloudEvents: what a logger captured, or records and labels in their data",
      format: "events",
      query: query.omit({ at: true, collection: true, label: true, time: true }),
    },
  ] as const;
  for (const path of [...formats.map((each) => each.path), ...OWN_PATHS]) agreeToWebhooks(api, path);
  for (const { path, summary, format, query: asked } of formats) {
    const route = createRoute({
      method: "post",
      path,
      tags: ["collect"],
      summary,
      description:
        "202 means durable. Request and answer are joined by their id, whichever comes first; a half is kept until the other comes or its time is over. What is not understood is named and keeps nothing else back.",
      request: {
        query: asked,
        body: {
          required: true,
          content: {
            "application/json": { schema: event },
            "application/x-ndjson": { schema: event },
            "application/cloudevents+json": { schema: event },
            "application/cloudevents-batch+json": { schema: { type: "array", items: event } },
            ...(format === "events" ? TABLES : {}),
          },
        },
      },
      responses: {
        202: {
          description: "What became of it",
          content: { "application/json": { schema: captureAnswer } },
        },
        ...problems,
      },
    });
    api.openapi(route, async (context) => {
      const { model, collection, at: time, ...names } = context.req.valid("query") as z.output<typeof query>; // what is not asked for is absent
      const { incoming } = (context.env ?? {}) as { readonly incoming?: IncomingMessage };
      const body = { request: context.req.raw, incoming, query: names };
      return context.json(await foreign.capture({ format, model, collection, time }, body), 202);
    });
  }
}

/**
 * Senders of CloudEvents ask whether they may send here before they do (CloudEvents webhook specification, §4). To send takes
 * a key all the same; this only says that events are expected.
 */
function agreeToWebhooks(api: OpenAPIHono, path: string): void {
  api.on("OPTIONS", path, (context) => {
    const origin = context.req.header("webhook-request-origin");
    const agreed =
      origin === undefined ? {} : { "webhook-allowed-origin": origin, "webhook-allowed-rate": "*" };
    return context.body(null, 200, { allow: "OPTIONS, POST", ...agreed });
  });
}
