import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Database } from "../../store/database.ts";
import { ProcessGrowth, watchQuery } from "../../store/query-watch.ts";

it("ends a query as too large when there is no memory to look after it", async () => {
  const database = await Database.open(":memory:");
  const connection = await database.connect();
  const stop = new AbortController();
  const watch = await watchQuery({
    connection,
    database,
    pause: sleep,
    growth: new ProcessGrowth(),
    stop,
    memoryBytes: 1e9,
    // What DuckDB says to any connection while one of them asks for more than there is.
    look: async () => {
      throw new Error(
        "Out of Memory Error: failed to allocate data of size 781.2 MiB (34.0 KiB/286.1 MiB used)",
      );
    },
  });
  await expect.poll(() => stop.signal.aborted).toBe(true);
  expect(stop.signal.reason).toMatchObject({
    code: "too-large",
    message: expect.stringContaining("needs more memory"),
  });
  await watch.end();
  await watch.ended;
  connection.closeSync();
  await database.close();
});
