import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OpenAPIHono } from "@hono/zod-openapi";
import { onTestFinished } from "vitest";
import { type Collector, type CollectorOptions, openCollector } from "../../collector/collector.ts";
import { addCollectorRoutes } from "../../collector/routes.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { Metrics } from "../../schema/metrics.ts";
import { Database } from "../../store/database.ts";

/** Metrics that remember: `counts["leeway_records_total{churn,stored}"]`. */
export function countingMetrics(): Metrics & { readonly counts: Record<string, number> } {
  const counts: Record<string, number> = {};
  return {
    counts,
    count: (name, labels, by = 1) => {
      const key = `${name}{${Object.values(labels).join(",")}}`;
      counts[key] = (counts[key] ?? 0) + by;
    },
    set: (name, labels, value) => {
      counts[`${name}{${Object.values(labels).join(",")}}`] = value;
    },
    observe: () => undefined,
  };
}

export const STATUS: Readonly<Record<string, number>> = {
  "invalid-input": 400,
  "not-found": 404,
  "too-large": 413,
  "unsupported-media-type": 415,
  "queue-full": 429,
  unavailable: 503,
};

/** The collector's routes with errors as the application answers them. */
export function routesOf(collector: Collector): OpenAPIHono {
  const api = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw new ServiceError("invalid-input", result.error.message);
    },
  });
  api.onError((error, context) => {
    if (!(error instanceof ServiceError)) throw error;
    const retry = error.retryAfterSeconds;
    return context.json(
      { code: error.code, detail: error.message, errors: error.issues },
      (STATUS[error.code] ?? 500) as 400,
      retry === undefined ? {} : { "retry-after": String(retry) },
    );
  });
  addCollectorRoutes(api, collector);
  return api;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "leeway-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A collector on a data folder of its own; closed when the test ends. */
export async function startCollector(
  options: Partial<Omit<CollectorOptions, "database" | "metrics">> = {},
): Promise<{
  readonly database: Database;
  readonly collector: Collector;
  readonly api: OpenAPIHono;
  readonly counts: Record<string, number>;
  readonly dataDir: string;
  readonly stop: () => Promise<void>;
}> {
  const dataDir = options.dataDir ?? temporaryFolder();
  const metrics = countingMetrics();
  const database = await Database.open(join(dataDir, "leeway.duckdb"));
  const collector = await openCollector({ now: () => new Date(), ...options, database, dataDir, metrics });
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await collector.close();
    await database.close();
  };
  onTestFinished(stop);
  return { database, collector, api: routesOf(collector), counts: metrics.counts, dataDir, stop };
}
