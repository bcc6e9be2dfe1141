import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { uuidv7 } from "uuidv7";
import { z } from "zod";
import { emit } from "../events/events.ts";
import { columnTypesText } from "../schema/column-types.ts";
import { ServiceError } from "../schema/errors.ts";
import { resourceName } from "../schema/names.ts";
import { timeText } from "../schema/record.ts";
import type { Database } from "../store/database.ts";
import type { RecordStore } from "../store/records.ts";
import { exportTraining } from "../store/training-export.ts";
import type { Baseline, Baselines } from "./baseline.ts";

const EXTENSIONS: Readonly<Record<string, string>> = {
  "text/csv": "csv",
  "application/csv": "csv",
  "application/vnd.apache.parquet": "parquet",
  "application/x-parquet": "parquet",
  "application/parquet": "parquet",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
};

const params = z.object({ model: resourceName, version: resourceName });
const columnSummary = z.object({
  name: z.string(),
  role: z.enum(["input", "prediction", "label"]),
  type: z.string(),
  rows: z.int(),
  missing: z.int(),
  unusable: z.int(),
});
const baselineAnswer = z
  .object({
    id: z.string(),
    model: z.string(),
    version: z.string(),
    created_at: z.string(),
    dataset_hash: z.string().meta({ description: "SHA-256 of the file" }),
    rows: z.int(),
    time_column: z
      .string()
      .nullable()
      .meta({ description: "Where present, alarms are calibrated on the baseline's own windows" }),
    columns: z.array(columnSummary.loose()),
  })
  .meta({ id: "Baseline" });
const fromRecords = z
  .strictObject({ from: timeText, to: timeText })
  .meta({ id: "BaselineFromRecords", description: "Collected records of this time as the baseline" });

const putBaseline = createRoute({
  method: "put",
  path: "/v1/models/{model}/versions/{version}/baseline",
  summary:
    "Make a version's baseline from its training data (CSV, Parquet, NDJSON), or from collected records",
  tags: ["Baselines"],
  request: {
    params,
    query: z.object({
      time_column: z
        .string()
        .optional()
        .meta({ description: "Column that says when; found by itself when absent; `none` for none" }),
      label: z.string().optional().meta({ description: "Column that holds the ground truth" }),
      prediction: z
        .union([z.string(), z.array(z.string())])
        .optional()
        .meta({ description: "Column(s) that hold what the model answered" }),
      ignore: z
        .union([z.string(), z.array(z.string())])
        .optional()
        .meta({ description: "Column(s) that are no features, such as an id" }),
      types: columnTypesText.optional(),
    }),
    body: {
      content: {
        "text/csv": { schema: z.string() },
        "application/vnd.apache.parquet": { schema: z.string().meta({ format: "binary" }) },
        "application/x-ndjson": { schema: z.string() },
        "application/json": { schema: z.unknown().meta({ description: "`{from, to}`" }) },
      },
    },
  },
  responses: {
    201: { description: "The baseline", content: { "application/json": { schema: baselineAnswer } } },
  },
});

const getBaseline = createRoute({
  method: "get",
  path: "/v1/models/{model}/versions/{version}/baseline",
  summary: "The newest baseline of a version",
  tags: ["Baselines"],
  request: { params },
  responses: {
    200: { description: "The baseline", content: { "application/json": { schema: baselineAnswer } } },
  },
});

export interface BaselineParts {
  readonly database: Database;
  readonly baselines: Baselines;
  readonly records: RecordStore;
  /** Folder for files under way. */
  readonly scratchDir: string;
  readonly maxFileBytes: number;
  readonly flush: () => Promise<void>;
  readonly now: () => Date;
}

export function addBaselineRoutes(api: OpenAPIHono, parts: BaselineParts): void {
  api.openapi(putBaseline, async (c) => {
    const { model, version } = c.req.valid("param");
    const query = c.req.valid("query");
    const folder = await mkdtemp(join(parts.scratchDir, "baseline-"));
    try {
      const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
      const collected =
        type === "application/json"
          ? fromRecords.safeParse(await c.req.json().catch(() => undefined))
          : undefined;
      if (collected && !collected.success) {
        throw new ServiceError(
          "invalid-input",
          'expected {"from": time, "to": time}, or send a file as text/csv, application/vnd.apache.parquet or application/x-ndjson',
        );
      }
      const source = collected
        ? await exportRecords(parts, { model, folder, ...collected.data })
        : {
            path: await receive({ body: c.req.raw.body, type, folder, limit: parts.maxFileBytes }),
            timeColumn: query.time_column,
            label: query.label,
            predictions: listOf(query.prediction),
            ignore: listOf(query.ignore),
            types: query.types,
          };
      const baseline = await parts.baselines
        .create({ model, version, ...source }, { id: uuidv7(), now: parts.now() })
        .catch((error: unknown) => {
          throw withoutPath(error, source.path);
        });
      await parts.database.transaction((tx) =>
        emit(
          tx,
          {
            type: "dev.leeway.baseline.created",
            subject: `models/${model}/versions/${version}`,
            data: {
              model,
              version,
              id: baseline.id,
              rows: baseline.rows,
              dataset_hash: baseline.dataset_hash,
            },
          },
          parts.now(),
        ),
      );
      return c.json(shown(baseline), 201);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  api.openapi(getBaseline, async (c) => {
    const { model, version } = c.req.valid("param");
    return c.json(shown(await parts.baselines.get(model, version)), 200);
  });
}

/** Quantile grids and fine bins are for the machine: the answer leaves them out. */
function shown(baseline: Baseline): z.infer<typeof baselineAnswer> {
  return {
    ...baseline,
    columns: baseline.columns.map((column) => {
      if ("quantiles" in column) {
        const { quantiles: _, fine_edges: __, fine_counts: ___, ...rest } = column;
        return rest;
      }
      return { ...column };
    }),
  };
}

/** The caller sent a file and knows nothing of where it was put. */
function withoutPath(error: unknown, path: string): unknown {
  if (!(error instanceof ServiceError) || !error.message.includes(path)) return error;
  return new ServiceError(error.code, error.message.replaceAll(path, "the file"), { cause: error });
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === "string" ? value.split(",") : value;
}

async function receive({
  body,
  type,
  folder,
  limit,
}: {
  readonly body: ReadableStream | null;
  readonly type: string;
  readonly folder: string;
  readonly limit: number;
}): Promise<string> {
  const extension = EXTENSIONS[type];
  if (!extension) {
    throw new ServiceError(
      "unsupported-media-type",
      `content type "${type}" is not known here: send text/csv, application/vnd.apache.parquet, application/x-ndjson, or application/json with {from, to}`,
    );
  }
  if (!body) throw new ServiceError("invalid-input", "the body is empty: send the training data as a file");
  const path = join(folder, `baseline.${extension}`);
  let bytes = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      if (bytes > limit)
        done(
          new ServiceError(
            "too-large",
            `the file is larger than ${limit} bytes: send Parquet, or a sample of the training data`,
          ),
        );
      else done(null, chunk);
    },
  });
  await pipeline(
    Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]),
    bounded,
    createWriteStream(path),
  );
  if (bytes === 0)
    throw new ServiceError("invalid-input", "the body is empty: send the training data as a file");
  return path;
}

async function exportRecords(
  parts: BaselineParts,
  {
    model,
    folder,
    from,
    to,
  }: { readonly model: string; readonly folder: string; readonly from: string; readonly to: string },
) {
  await parts.flush();
  const path = join(folder, "baseline.parquet");
  const window = { from: new Date(from), to: new Date(to) };
  const { rows, time, label, predictions } = await exportTraining(
    parts.database,
    parts.records,
    { model, window, weights: "thinned" },
    path,
  );
  if (rows === 0)
    throw new ServiceError("invalid-input", `model "${model}" has no records from ${from} to ${to}`);
  return { path, timeColumn: time, label, predictions, values: "as-stored" as const };
}
