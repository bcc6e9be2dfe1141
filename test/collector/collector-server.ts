import { join } from "node:path";
import { serve } from "@hono/node-server";
import { openCollector } from "../../collector/collector.ts";
import { Database } from "../../store/database.ts";
import { routesOf } from "./routes-of.ts";

/**
 * A server with the collector's routes and nothing else, for tests that kill it and for benchmarks:
 * `tsx collector-server.ts DATA_DIR`. Prints its port; `POST /flush` returns when everything is in the tables.
 */
const dataDir = process.argv[2];
if (!dataDir) throw new RangeError("usage: collector-server.ts DATA_DIR");
const database = await Database.open(join(dataDir, "leeway.duckdb"));
const collector = await openCollector({
  database,
  dataDir,
  now: () => new Date(),
  metrics: { count: () => undefined, set: () => undefined, observe: () => undefined },
  log: (message, fields) => console.error(message, fields),
});
const api = routesOf(collector);
api.post("/flush", async (context) => {
  await collector.flush();
  return context.json({ rss: process.memoryUsage.rss() });
});
let ticking: Promise<void> = Promise.resolve();
const timer = setInterval(() => {
  ticking = ticking.then(() => collector.tick());
}, 1_000);
const server = serve({ fetch: api.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(port));
process.on("SIGTERM", async () => {
  clearInterval(timer);
  server.close();
  await collector.close();
  await database.close();
  process.exit(0);
});
