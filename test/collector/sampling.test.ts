import { expect, it } from "vitest";
import { recordWriter } from "../../collector/sidecar/record-text.ts";
import { redactor } from "../../collector/sidecar/redact.ts";
import { isSampled } from "../../collector/sidecar/sampling.ts";
import { post } from "./post.ts";
import { startCollector } from "./test-collector.ts";

const ndjson = { "content-type": "application/x-ndjson" };
const collect = { models: { m: { sample: 0.1 } } };
const N = 4_000;

/** Two rows each, every fiftieth an error; ids of all kinds. */
const records = Array.from({ length: N }, (_, i) => ({
  id: i % 3 === 0 ? `käse-${i}` : i % 3 === 1 ? `${i}` : `id-${i}`,
  time: "2026-01-01T10:00:00Z",
  inputs: { x: i },
  status: i % 50 === 0 ? 500 : 200,
})).flatMap((record) => [record, { ...record, row: 1 }]);

const kept = records.filter(({ id, status }) => status >= 400 || isSampled(id, 0.1));

it("keeps the records whose ids are in the sample, all rows of them, and all errors, with their weights", async () => {
  const { api, collector, database, counts } = await startCollector({ collect });
  const { answer } = await post(api, "records", records.map((r) => JSON.stringify(r)).join("\n"), ndjson);
  expect(answer).toMatchObject({
    received: 2 * N,
    stored: kept.length,
    duplicates: 0,
    rejected: 0,
    sampled_out: 2 * N - kept.length,
  });
  expect(kept.length / records.length).toBeGreaterThan(0.1);
  expect(kept.length / records.length).toBeLessThan(0.14); // a tenth, and one in fifty
  expect(counts).toMatchObject({
    "leeway_records_total{m,stored}": kept.length,
    "leeway_records_total{m,sampled_out}": 2 * N - kept.length,
  });
  await collector.flush();
  const stored = await database.all<{ id: string; row: number; weight: number }>(
    `select record_id as id, "row", weight from views.m order by 1, 2`,
  );
  const expected = kept.map(({ id, status, ...record }) => ({
    id,
    row: "row" in record ? 1 : 0,
    weight: status >= 400 ? 1 : 10,
  }));
  expect(stored).toEqual(expected.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : a.row - b.row)));
});

it("says of a repeat what it said before, save that what was stored is there", async () => {
  const first = await startCollector({ collect });
  const before = await post(first.api, "records", records);
  const again = await post(first.api, "records", records);
  expect(again.answer).toMatchObject({
    stored: 0,
    duplicates: before.answer.stored,
    sampled_out: before.answer.sampled_out,
  });
  await first.stop();
  const second = await startCollector({ collect, dataDir: first.dataDir });
  expect((await post(second.api, "records", records)).answer).toMatchObject(again.answer);
});

it("chooses by the id, however the record is written", async () => {
  const { api } = await startCollector({ collect });
  for (const { id, status } of records.slice(0, 300).filter((_, i) => i % 2 === 0)) {
    const plain = JSON.stringify({ id, row: 2, inputs: { x: 1 }, status });
    const odd = `{ "status":${status}e0, "inputs":{"\\u0078":1}, "row":3, "id":"${[...id].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}" }`;
    const outcomes = [];
    for (const body of [plain, odd]) outcomes.push((await post(api, "records", body)).answer.stored);
    const expected = status >= 400 || isSampled(id, 0.1) ? 1 : 0;
    expect(outcomes, `${plain} ${odd}`).toEqual([expected, expected]);
  }
});

it("takes a weight from the sender, and does not count it twice where both sample", async () => {
  const { api, collector, database } = await startCollector({ collect });
  const sampled = records.filter(({ id, row, status }: { id: string; row?: number; status: number }) => {
    return row === undefined && status === 200 && isSampled(id, 0.05); // what a sidecar with --sample 0.05 would send
  });
  const { answer } = await post(
    api,
    "records",
    sampled.map((record) => ({ ...record, weight: 20 })),
  );
  expect(answer).toMatchObject({ stored: sampled.length });
  expect(answer.sampled_out).toBeUndefined();
  await collector.flush();
  expect(await database.all("select distinct weight from views.m")).toEqual([{ weight: 20 }]);
  const bad = await post(api, "records", [
    { inputs: {}, weight: 0.5 },
    { inputs: {}, weight: 1e9 },
    { inputs: {}, weight: "2" },
  ]);
  expect(bad.answer).toMatchObject({ rejected: 3 });
  expect(bad.answer.errors.map(({ path }) => path)).toEqual(["weight", "weight", "weight"]);
});

it("takes what a sidecar writes of a call, with its weight", async () => {
  const { api, collector, database } = await startCollector();
  const row = { row: 0, inputs: { x: 1 }, outputs: {} };
  const about = { version: "1", deployment: undefined, redact: redactor([], undefined) };
  const call = { timeMs: 1_770_000_000_000, latencyMs: 2, status: 200 };
  const lines = [
    recordWriter({ ...call, id: "a", weight: 1 / 0.3 }, about)(row),
    recordWriter({ ...call, id: "b", weight: 1 }, about)(row),
  ];
  expect((await post(api, "records", lines.join("\n"), ndjson)).answer).toMatchObject({ stored: 2 });
  await collector.flush();
  expect(await database.all("select weight from views.m order by record_id")).toEqual([
    { weight: 1 / 0.3 },
    { weight: 1 },
  ]);
});

it("stores what has no weight with weight 1, also beside others in one load", async () => {
  const { api, collector, database } = await startCollector();
  await post(api, "records", [
    { id: "a", inputs: { x: 1 } },
    { id: "b", inputs: { x: 1 }, weight: 2.5 },
    { id: "c", inputs: { x: 1 }, weight: 1 },
  ]);
  await collector.flush();
  expect(await database.all("select record_id as id, weight from views.m order by 1")).toEqual([
    { id: "a", weight: 1 },
    { id: "b", weight: 2.5 },
    { id: "c", weight: 1 },
  ]);
});
