import { createReadStream } from "node:fs";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { resourceName } from "../schema/names.ts";
import { type IngestAnswer, ingestAnswer, labelRecord, scoringRecord, timeText } from "../schema/record.ts";
import {
  type ForeignBodies,
  foreignParameters,
  type UnreadForeignBody,
} from "./capture-formats/foreign-bodies.ts";
import type { Collector } from "./collector.ts";
import { batchFormat, readBody } from "./request-body.ts";

const modelPath = z.object({
  model: resourceName.meta({ param: { name: "model", in: "path" }, description: "Name of the model" }),
});

const exportWindow = z.object({
  from: timeText.meta({ description: "First event time of the window" }),
  to: timeText.meta({ description: "End of the window, not in it" }),
  format: z.literal("parquet").default("parquet"),
});

const problems = {
  400: { description: "The body is not JSON or NDJSON" },
  413: { description: "The body is longer than the limit, as sent or after decompression" },
  415: { description: "Content type or encoding that is not taken" },
  429: { description: "Too much is waiting: try again after Retry-After seconds" },
  503: { description: "Nothing can be made durable just now: try again after Retry-After seconds" },
} as const;

/** The ways in (records, labels) and the way out as a file (records of a window). */
export function addCollectorRoutes(api: OpenAPIHono, collector: Collector, foreign?: ForeignBodies): void {
  addIngestRoute(api, {
    path: "/v1/models/{model}/records",
    summary: "Store scored instances",
    schema: reference(api, "ScoringRecord", scoringRecord),
    take: (model, body) => collector.receiveRecords(model, body),
    foreign: (model, body) => foreign?.take("records", model, body),
    collector,
  });
  addIngestRoute(api, {
    path: "/v1/models/{model}/labels",
    summary: "Store ground truth",
    schema: reference(api, "LabelRecord", labelRecord),
    take: (model, body) => collector.receiveLabels(model, body),
    foreign: (model, body) => foreign?.take("labels", model, body),
    collector,
  });
  addExportRoute(api, collector);
}

/** A reference instead of the schema itself: with the schema the router would parse and check every body a second time. */
function reference(api: OpenAPIHono, name: string, schema: z.ZodType) {
  const { $schema: _, ...component } = z.toJSONSchema(schema, { io: "input" });
  api.openAPIRegistry.registerComponent("schemas", name, component as object);
  return { $ref: `#/components/schemas/${name}` };
}

function addIngestRoute(
  api: OpenAPIHono,
  {
    path,
    summary,
    schema,
    take,
    foreign,
    collector,
  }: {
    readonly path: string;
    readonly summary: string;
    readonly schema: { readonly $ref: string };
    readonly take: Collector["receiveRecords"];
    /** Takes a body that is neither JSON nor NDJSON. */
    readonly foreign: (model: string, body: UnreadForeignBody) => Promise<IngestAnswer> | undefined;
    readonly collector: Collector;
  },
): void {
  const route = createRoute({
    method: "post",
    path,
    tags: ["collect"],
    summary,
    description:
      "202 means durable: what was stored survives a crash. Good records of a batch are kept and bad ones named, also when all are bad. A record that was sent before (same id and row) counts as a duplicate, so retries are safe.",
    parameters: foreignParameters, // read only where a body needs them: this route is a hot one
    request: {
      params: modelPath,
      body: {
        required: true,
        content: {
          "application/json": { schema: { type: "array", items: schema } },
          "application/x-ndjson": { schema },
          "text/csv": { schema: { type: "string" } },
          "application/vnd.apache.parquet": { schema: { type: "string", format: "binary" } },
          "application/cloudevents+json": { schema: { type: "object" } },
          "application/cloudevents-batch+json": { schema: { type: "array", items: { type: "object" } } },
        },
      },
    },
    responses: {
      202: {
        description: "What became of the batch",
        content: { "application/json": { schema: ingestAnswer } },
      },
      ...problems,
    },
  });
  api.openapi(route, async (context) => {
    const { model } = context.req.valid("param");
    const { incoming } = (context.env ?? {}) as { readonly incoming?: IncomingMessage };
    const taken = foreign(model, { request: context.req.raw, incoming, query: () => context.req.query() });
    if (taken) return context.json(await taken, 202);
    const format = batchFormat(context.req.header("content-type"));
    const room = collector.reserve();
    try {
      const bytes = await readBody({ request: context.req.raw, incoming }, collector.limits, room);
      const idempotencyKey = context.req.header("idempotency-key");
      return context.json(await take(model, { bytes, format, idempotencyKey }), 202);
    } finally {
      room.release();
    }
  });
}

function addExportRoute(api: OpenAPIHono, collector: Collector): void {
  const route = createRoute({
    method: "get",
    path: "/v1/models/{model}/records",
    tags: ["collect"],
    summary: "Records of a window with their labels, as Parquet",
    request: { params: modelPath, query: exportWindow },
    responses: {
      200: {
        description: "The file; its SHA-256 is in the header `digest`",
        content: { "application/vnd.apache.parquet": { schema: { type: "string", format: "binary" } } },
      },
      404: { description: "Nothing was collected for this model" },
    },
  });
  api.openapi(route, async (context) => {
    const { model } = context.req.valid("param");
    const { from, to } = context.req.valid("query");
    const exported = await collector.exportWindow(model, { from: new Date(from), to: new Date(to) });
    const stream = createReadStream(exported.file);
    stream.once("close", exported.remove);
    return new Response(Readable.toWeb(stream) as ReadableStream, {
      headers: {
        "content-type": "application/vnd.apache.parquet",
        "content-length": String(exported.bytes),
        "content-disposition": `attachment; filename="${model}.parquet"`,
        digest: `sha-256=${Buffer.from(exported.sha256, "hex").toString("base64")}`,
        "x-leeway-rows": String(exported.rows),
      },
    });
  });
}
