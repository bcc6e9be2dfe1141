import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { openCaptureIntake } from "../../../collector/capture-formats/capture-intake.ts";
import { ForeignBodies } from "../../../collector/capture-formats/foreign-bodies.ts";
import { addCaptureRoutes } from "../../../collector/capture-formats/routes.ts";
import { TableUpload } from "../../../collector/capture-formats/table-upload.ts";
import type { Metrics } from "../../../schema/metrics.ts";
import { CaptureHalves } from "../../../store/capture-halves.ts";
import type { Database } from "../../../store/database.ts";
import { routesOf } from "../routes-of.ts";
import { startCollector } from "../test-collector.ts";

/** What a call was answered: counts, or a problem. */
export interface Told {
  readonly status: number;
  readonly answer: Readonly<Record<string, unknown>>;
}

/** A collector on a data folder of its own with the ways in for foreign bodies. */
export async function startCapture(
  options: {
    readonly now?: () => Date;
    readonly dataDir?: string;
    readonly mostBytes?: number;
    readonly mostUploadBytes?: number;
    readonly sliceRows?: number;
  } = {},
) {
  const now = options.now ?? (() => new Date());
  const started = await startCollector({ now, ...(options.dataDir ? { dataDir: options.dataDir } : {}) });
  const { collector, database, counts } = started;
  const metrics: Metrics = {
    count: (name, labels, by = 1) => {
      const key = `${name}{${Object.values(labels).join(",")}}`;
      counts[key] = (counts[key] ?? 0) + by;
    },
    set: (name, _, value) => {
      counts[name] = value;
    },
    observe: () => undefined,
  };
  const intake = await openCaptureIntake({
    collector,
    halves: new CaptureHalves(database),
    metrics,
    now,
    waitMs: 3_600_000,
    mostBytes: options.mostBytes ?? 1_000_000,
  });
  const upload = new TableUpload({
    collector,
    database,
    folder: join(started.dataDir, "exports"),
    mostBytes: options.mostUploadBytes ?? 100_000_000,
    ...(options.sliceRows === undefined ? {} : { sliceRows: options.sliceRows }),
  });
  const foreign = new ForeignBodies({ intake, upload, collector });
  const api = routesOf(collector, foreign);
  addCaptureRoutes(api, foreign);
  return { ...started, api, intake };
}

export async function send(
  api: OpenAPIHono,
  path: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>>,
): Promise<Told> {
  const response = await api.request(path, { method: "POST", headers: { ...headers }, body: body as string });
  return { status: response.status, answer: (await response.json()) as Told["answer"] };
}

/** A Parquet file of a query's rows. */
export async function parquetOf(database: Database, dataDir: string, sql: string): Promise<Uint8Array> {
  const file = join(dataDir, `made-${randomUUID()}.parquet`);
  const connection = await database.connect();
  try {
    await connection.run(`copy (${sql}) to '${file}' (format parquet)`);
  } finally {
    connection.closeSync();
  }
  return readFileSync(file);
}
