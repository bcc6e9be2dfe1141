import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { ServiceError } from "../schema/errors.ts";
import { resourceName } from "../schema/names.ts";
import { timeText } from "../schema/record.ts";
import type { ExportManifest, Exports } from "./exports.ts";

const request = z
  .strictObject({
    from: timeText.meta({ description: "First event time" }),
    to: timeText.meta({ description: "End, not in it" }),
    form: z.enum(["records", "training"]).default("records").meta({
      description:
        "records: columns as queries name them. training: features by their own names, then outputs, label and time",
    }),
  })
  .meta({ id: "ExportRequest" });

const manifest = z
  .object({
    model: z.string(),
    from: z.string(),
    to: z.string(),
    form: z.enum(["records", "training"]),
    rows: z.int(),
    columns: z.array(
      z.object({ name: z.string(), type: z.string().meta({ description: "As DuckDB says it" }) }),
    ),
    bytes: z.int(),
    sha256: z.string().meta({ description: "Of the file: the same records make the same one" }),
    created_at: z.string(),
    created_by: z.string().meta({ description: "Program and version" }),
    url: z.string().meta({ description: "Where the file is, for an hour" }),
  })
  .meta({ id: "ExportManifest" });

const tags = ["collect"];
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected the SHA-256 of an export");
const gone = { 404: { description: "There is no such export, or no longer" } };

const postExport = createRoute({
  method: "post",
  path: "/v1/models/{model}/exports",
  tags,
  summary: "Write the records of a window, with their labels, to a Parquet file with a manifest",
  request: {
    params: z.object({ model: resourceName }),
    body: { required: true, content: { "application/json": { schema: request } } },
  },
  responses: {
    201: { description: "The manifest", content: { "application/json": { schema: manifest } } },
    404: { description: "Nothing was collected for this model" },
  },
});

const getExport = createRoute({
  method: "get",
  path: "/v1/exports/{sha256}",
  tags,
  summary: "The Parquet file of an export",
  request: { params: z.object({ sha256 }) },
  responses: {
    200: {
      description: "The file",
      content: { "application/vnd.apache.parquet": { schema: { type: "string", format: "binary" } } },
    },
    ...gone,
  },
});

const getManifest = createRoute({
  method: "get",
  path: "/v1/exports/{sha256}/manifest",
  tags,
  summary: "What an export holds",
  request: { params: z.object({ sha256 }) },
  responses: {
    200: { description: "The manifest", content: { "application/json": { schema: manifest } } },
    ...gone,
  },
});

/** The way out as a file that can be told from others by its manifest. */
export function addExportRoutes(
  api: OpenAPIHono,
  { exports, flush }: { readonly exports: Exports; readonly flush: () => Promise<void> },
): void {
  api.openapi(postExport, async (c) => {
    const { from, to, form } = c.req.valid("json");
    const window = { from: new Date(from), to: new Date(to) };
    if (window.from >= window.to) throw new ServiceError("invalid-input", "from has to be before to");
    await flush();
    return c.json(shown(await exports.create(c.req.valid("param").model, window, form)), 201);
  });
  api.openapi(getManifest, async (c) =>
    c.json(shown((await exports.find(c.req.valid("param").sha256)).manifest), 200),
  );
  api.openapi(getExport, async (c) => {
    const { manifest: about, file } = await exports.find(c.req.valid("param").sha256);
    return new Response(Readable.toWeb(createReadStream(file)) as ReadableStream, {
      headers: {
        "content-type": "application/vnd.apache.parquet",
        "content-length": String(about.bytes),
        "content-disposition": `attachment; filename="${about.model}.parquet"`,
        digest: `sha-256=${Buffer.from(about.sha256, "hex").toString("base64")}`,
        "x-leeway-rows": String(about.rows),
      },
    });
  });
}

function shown(about: ExportManifest): z.infer<typeof manifest> {
  return { ...about, columns: [...about.columns], url: `/v1/exports/${about.sha256}` };
}
