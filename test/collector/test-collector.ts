import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { onTestFinished } from "vitest";
import { type Collector, type CollectorOptions, openCollector } from "../../collector/collector.ts";
import type { Metrics } from "../../schema/metrics.ts";
import { Database } from "../../store/database.ts";
import { routesOf } from "./routes-of.ts";

/** Metrics that remember: `counts["leeway_records_total{churn,stored}"]`. */
function countingMetrics(): Metrics & { readonly counts: Record<string, number> } {
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
