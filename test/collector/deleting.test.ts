import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { post } from "./post.ts";
import { routesOf } from "./routes-of.ts";
import { startOn } from "./start-on.ts";
import { startCollector, temporaryFolder } from "./test-collector.ts";

const HOURS = 40;
const EXPIRED = 30;
const PER_HOUR = 60;
const START = Date.UTC(2026, 0, 5);
const at = (hour: number) => new Date(START + hour * 3_600_000);

const records = Array.from({ length: HOURS * PER_HOUR }, (_, i) => ({
  id: `r${i}`,
  time: new Date(at(Math.floor(i / PER_HOUR)).getTime() + (i % PER_HOUR) * 1_000).toISOString(),
  inputs: { x: i },
}));
/** Two for each, one with a time and one without. */
const labels = records.flatMap(({ id, time }, i) => [
  { id, label: i % 2, time },
  { id, label: `${i}` },
]);

it("a record and its labels are deleted together, whole hours from the oldest on, whenever the process is killed", async () => {
  const dataDir = temporaryFolder();
  const { collector, database } = await startOn(dataDir);
  const api = routesOf(collector);
  await post(api, "records", records);
  await post(api, "labels", labels);
  await collector.close();
  await database.close();

  const left: number[] = [];
  for (const afterLines of [1, 2, 4, 2, 3]) {
    await deleteAndKill(dataDir, afterLines);
    left.push(await look(dataDir));
  }
  expect(left).toEqual(left.toSorted((a, b) => b - a));
  expect(left.at(-1)).toBeLessThan(HOURS);
  expect(left.at(-1), "killed before it was done").toBeGreaterThan(HOURS - EXPIRED);

  const again = await startOn(dataDir);
  for await (const _ of again.collector.deleteBefore("m", at(EXPIRED))) {
    // to the end
  }
  await again.collector.close();
  await again.database.close();
  expect(await look(dataDir)).toBe(HOURS - EXPIRED);
}, 60_000);

/** Kills it at some moment after so many lines: pieces it says are gone, the first line being that it is open. */
async function deleteAndKill(dataDir: string, afterLines: number): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      "--import",
      "tsx",
      join(import.meta.dirname, "deleting-child.ts"),
      dataDir,
      at(EXPIRED).toISOString(),
      String(PER_HOUR),
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = once(child, "exit");
  let lines = 0;
  for await (const _ of createInterface({ input: child.stdout })) if (++lines === afterLines) break;
  await sleep(Math.random() * 8);
  child.kill("SIGKILL");
  await ended;
}

/** How many hours are left; all of each, with all labels, and known to deduplication. */
async function look(dataDir: string): Promise<number> {
  const { collector, database } = await startOn(dataDir);
  try {
    const hours = await database.all<{ hour: Date; records: number; labels: number }>(
      `select date_trunc('hour', r.time) as hour, count(distinct r.record_id) as records, count(*) as labels
       from records_m r left join labels_m l using (record_id) group by hour order by hour`,
    );
    expect(hours).toEqual(
      hours.map((_, i) => ({
        hour: at(HOURS - hours.length + i),
        records: PER_HOUR,
        labels: 2 * PER_HOUR,
      })),
    );
    const kept = hours.length * PER_HOUR;
    expect(await database.all("select count(*) as n from labels_m")).toEqual([{ n: 2 * kept }]);
    const api = routesOf(collector);
    expect((await post(api, "records", records.slice(-kept))).answer).toMatchObject({ duplicates: kept });
    expect((await post(api, "labels", labels.slice(-2 * kept))).answer).toMatchObject({
      duplicates: 2 * kept,
    });
    return hours.length;
  } finally {
    await collector.close();
    await database.close();
  }
}

it("what was deleted can come again, and what was not is a duplicate still", async () => {
  const { api, collector } = await startCollector();
  await post(api, "records", records);
  await post(api, "labels", labels);
  for await (const _ of collector.deleteBefore("m", at(EXPIRED))) {
    // to the end
  }
  const gone = EXPIRED * PER_HOUR;
  const total = HOURS * PER_HOUR;
  expect((await post(api, "records", records)).answer).toMatchObject({
    stored: gone,
    duplicates: total - gone,
  });
  expect((await post(api, "labels", labels)).answer).toMatchObject({
    stored: 2 * gone,
    duplicates: 2 * (total - gone),
  });
});

it("records that say they come from the future go after their time of receipt", async () => {
  let now = at(0);
  const { api, collector, database } = await startCollector({ now: () => now });
  await post(api, "records", [
    { id: "future", time: "2199-01-01T00:00:00Z", inputs: { x: 1 } },
    { id: "fast clock", time: at(1).toISOString(), inputs: { x: 1 } },
  ]);
  now = at(48);
  await post(api, "records", [{ id: "new", time: "2199-01-01T00:00:00Z", inputs: { x: 1 } }]);
  const left = async (time: Date) => {
    for await (const _ of collector.deleteBefore("m", time)) {
      // to the end
    }
    return (await database.all<{ id: string }>("select record_id as id from records_m order by 1")).map(
      ({ id }) => id,
    );
  };
  expect(await left(at(1))).toEqual(["fast clock", "future", "new"]);
  expect(await left(at(25))).toEqual(["new"]);
});

it("a model whose records are all gone keeps its columns", async () => {
  const { api, collector, database } = await startCollector();
  await post(api, "records", records.slice(0, 10));
  for await (const _ of collector.deleteBefore("m", at(HOURS))) {
    // to the end
  }
  expect((await post(api, "records", [{ id: "bad" }])).answer).toMatchObject({ rejected: 1 });
  await post(api, "records", [{ id: "new", inputs: { x: "text" } }]);
  await collector.flush();
  expect(await database.all("select in_x, overflow from views.m")).toEqual([
    { in_x: null, overflow: '{"in_x":"text"}' },
  ]);
});
