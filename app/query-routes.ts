import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { ServiceError } from "../schema/errors.ts";
import type { QueryAnswer, QueryFormat, QueryRunner } from "../store/query.ts";

const TYPES: Readonly<Record<QueryFormat, string>> = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv",
  parquet: "application/vnd.apache.parquet",
};

/** What stands for JSON in an `accept` header besides itself. */
const ANYTHING = new Set(["*/*", "application/*", ""]);

const answer = z
  .object({
    columns: z.array(
      z.object({ name: z.string(), type: z.string().meta({ description: "As DuckDB says it" }) }),
    ),
    rows: z.array(z.array(z.unknown())).meta({
      description:
        "Whole numbers beyond 2^53 and decimals of more than 15 digits are texts, as are NaN and the infinities; times are ISO 8601",
    }),
    truncated: z.boolean().meta({ description: "Whether there were more rows than row_limit" }),
  })
  .meta({ id: "QueryAnswer" });

const text = { schema: { type: "string" } } as const;

/** `POST /v1/query`: read-only SQL over what was collected. */
export function addQueryRoutes(
  api: OpenAPIHono,
  { queries, flush }: { readonly queries: QueryRunner; readonly flush: () => Promise<void> },
): void {
  const { mostRows, mostSeconds, defaultRows, defaultSeconds } = queries.limits;
  const request = z
    .strictObject({
      sql: z.string().min(1).meta({ description: "One SELECT" }),
      row_limit: z
        .int()
        .min(1)
        .max(mostRows)
        .optional()
        .meta({
          description: `Rows of the answer. JSON is cut there and says so (${defaultRows} when absent); the other formats are refused beyond it (${mostRows} when absent)`,
        }),
      time_limit_seconds: z
        .number()
        .positive()
        .max(mostSeconds)
        .optional()
        .meta({ description: `How long it may take, waiting included; ${defaultSeconds} when absent` }),
    })
    .meta({ id: "QueryRequest" });
  const route = createRoute({
    method: "post",
    path: "/v1/query",
    tags: ["query"],
    summary: "Read-only SQL over what was collected",
    description:
      "One SELECT in DuckDB's SQL. Each model is a view of its name; results.models, results.columns, results.windows, results.features, results.alerts, results.retrain_runs and results.baselines hold what monitors found, results.versions and results.aliases what is registered. `accept` chooses the form of the answer.",
    request: { body: { required: true, content: { "application/json": { schema: request } } } },
    responses: {
      200: {
        description: "The rows; x-leeway-rows says how many",
        content: {
          [TYPES.json]: { schema: answer },
          [TYPES.ndjson]: text,
          [TYPES.csv]: text,
          [TYPES.parquet]: { schema: { type: "string", format: "binary" } },
        },
      },
      400: { description: "Not a query that may be run; the detail says which part of it" },
      413: { description: "Too many rows, too long an answer, or too much memory" },
      415: { description: "No form that accept names is there" },
      429: { description: "Too many queries wait: try again after Retry-After seconds" },
      504: { description: "It took longer than its time limit" },
    },
  });
  api.openapi(route, async (context) => {
    const { sql, row_limit: rowLimit, time_limit_seconds: seconds } = context.req.valid("json");
    const format = formatFor(context.req.header("accept"));
    await flush().catch(() => undefined); // what was acknowledged is found; while that fails, what is in the tables is
    const found = await queries.run({ sql, format, rowLimit, seconds, signal: context.req.raw.signal });
    return responseOf(found, format) as never; // the form depends on accept, which the types do not know
  });
}

/**
 * The form that an `accept` header likes best.
 * @throws ServiceError `unsupported-media-type` when it names none that is there.
 */
function formatFor(accept = ""): QueryFormat {
  const wanted = accept
    .split(",")
    .map((part) => {
      const [type = "", ...parameters] = part.split(";").map((piece) => piece.trim().toLowerCase());
      const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
      return { type, quality: quality === undefined ? 1 : Number(quality) };
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality);
  for (const { type } of wanted) {
    if (ANYTHING.has(type)) return "json";
    for (const format of ["json", "ndjson", "csv", "parquet"] as const) {
      if (TYPES[format] === type) return format;
    }
  }
  throw new ServiceError(
    "unsupported-media-type",
    `accept ${accept} names no form that answers have: ${Object.values(TYPES).join(", ")}`,
  );
}

function responseOf(found: QueryAnswer, format: QueryFormat): Response {
  const headers = {
    "content-type": format === "csv" ? "text/csv; charset=utf-8" : TYPES[format],
    "x-leeway-rows": String(found.rows),
    "cache-control": "no-store",
  };
  if (found.kind === "text") {
    const bytes = Buffer.concat(found.parts);
    return new Response(bytes, { headers: { ...headers, "content-length": String(bytes.length) } });
  }
  const stream = createReadStream(found.file);
  stream.once("close", () => rm(found.file, { force: true }));
  return new Response(Readable.toWeb(stream) as ReadableStream, {
    headers: {
      ...headers,
      "content-length": String(found.bytes),
      "content-disposition": 'attachment; filename="query.parquet"',
    },
  });
}
