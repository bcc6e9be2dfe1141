import { join } from "node:path";
import { type Collector, openCollector } from "../../collector/collector.ts";
import { Database } from "../../store/database.ts";

/** A collector on a data folder that somebody else looks after. */
export async function startOn(
  dataDir: string,
): Promise<{ readonly database: Database; readonly collector: Collector }> {
  const database = await Database.open(join(dataDir, "leeway.duckdb"));
  const collector = await openCollector({
    database,
    dataDir,
    now: () => new Date(),
    metrics: { count: () => undefined, set: () => undefined, observe: () => undefined },
  });
  return { database, collector };
}
