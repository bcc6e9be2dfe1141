import { expect, it, vi } from "vitest";
import type { WindowResult } from "../../schema/drift-result.ts";
import { startService, type TestService } from "./test-service.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 5);
const at = (hours: number) => new Date(START + hours * HOUR);
const PER_HOUR = 20;

/** Records of some days; every fourth has a label. */
function recordsOf(days: number) {
  return Array.from({ length: days * 24 * PER_HOUR }, (_, i) => ({
    id: `r${i}`,
    time: new Date(START + (i * HOUR) / PER_HOUR).toISOString(),
    inputs: { amount: (i * 7_919) % 1_000, city: ["oslo", "bergen", "narvik"][i % 3] },
  }));
}

const labelsOf = (days: number) =>
  recordsOf(days).flatMap(({ id, time }, i) => (i % 4 === 0 ? [{ id, label: i % 2, time }] : []));

/** In other units on the third day: told of as such, from the rows themselves. */
const inOtherUnits = (record: ReturnType<typeof recordsOf>[number]) =>
  record.time.startsWith("2026-01-07")
    ? { ...record, inputs: { ...record.inputs, amount: record.inputs.amount * 100 } }
    : record;

async function prepare(service: TestService, days: number, model = "shop"): Promise<void> {
  const training = recordsOf(28).map(({ inputs: { amount, city } }) => `${amount},${city}`);
  await service.put(
    `/v1/models/${model}/versions/1/baseline`,
    `amount,city\n${training.join("\n")}\n`,
    "text/csv",
  );
  await service.put(`/v1/models/${model}/monitors/daily`, { window: "1d", grace: "1h" });
  await service.post(`/v1/models/${model}/labels`, labelsOf(days));
  await service.post(`/v1/models/${model}/records`, recordsOf(days).map(inOtherUnits));
}

async function windows(service: TestService): Promise<WindowResult[]> {
  const { windows: found } = await service.get("/v1/models/shop/drift?monitor=daily");
  return (found as WindowResult[]).toReversed();
}

/** What was found, without when. */
const found = (results: readonly WindowResult[]) => results.map(({ computed_at: _, ...result }) => result);

async function count(service: TestService, sql: string): Promise<unknown> {
  const { rows } = (await service.post("/v1/query", { sql })) as { rows: unknown[][] };
  return rows[0]?.[0];
}

/** Waits for the run at the start to end. @returns what it says it has deleted. */
async function deleted(service: TestService): Promise<string[]> {
  const metrics = await vi.waitUntil(
    async () => {
      const text = await service.text("/metrics");
      return /^leeway_store_bytes [1-9]/m.test(text) ? text : undefined;
    },
    { timeout: 10_000 },
  );
  return [...metrics.matchAll(/^leeway_retention_deleted_total\{model="(\w+)",kind="(\w+)"\} (\d+)/gm)].map(
    ([, model, kind, rows]) => `${rows} ${kind} of ${model}`,
  );
}

it("deletes records and labels that are too old, and monitors go on over the past as if they were there", async () => {
  const service = await startService({ now: at(10 * 24 + 2) });
  await prepare(service, 10);
  await service.server().checkNow();
  const before = await windows(service);
  expect(before.map(({ rows }) => rows)).toEqual(Array(10).fill(24 * PER_HOUR));
  expect(before[2]?.columns.find(({ name }) => name === "amount")?.cause?.kind).toBe("unit-change");
  const completeness = `/v1/models/shop/labels/completeness?from=${at(0).toISOString()}&to=${at(240).toISOString()}`;
  const complete = await service.get(completeness);

  await service.restart({ retention_age: "4d" }); // it runs at the start
  const gone = (6 * 24 + 2) * PER_HOUR;
  expect(await deleted(service)).toEqual([`${gone} records of shop`, `${gone / 4} labels of shop`]);
  expect(await count(service, "select min(time)::varchar from shop")).toContain("2026-01-11 02:00:00");
  expect(await count(service, "select count(*) from shop")).toBe(240 * PER_HOUR - gone);
  expect(await service.get("/v1/models/shop/labels?id=r0")).toMatchObject({ labels: [] });

  await service.post("/v1/models/shop/monitors/daily/run", {
    from: at(0).toISOString(),
    to: at(240).toISOString(),
  });
  expect(found(await windows(service))).toEqual(found(before));
  expect(await service.get(completeness)).toEqual(complete);

  // A monitor on a baseline that is made now begins where there are records.
  await service.put("/v1/models/shop/versions/2/baseline", {
    from: at(144).toISOString(),
    to: at(192).toISOString(),
  });
  await service.put("/v1/models/shop/monitors/later", { window: "1d", grace: "1h", version: "2" });
  await service.server().checkNow();
  const { windows: later } = await service.get("/v1/models/shop/drift?monitor=later");
  expect((later as WindowResult[]).at(-1)?.from).toBe(at(6 * 24).toISOString()); // of which two hours are gone
}, 30_000);

it("counts windows that nobody has checked before their records go", async () => {
  const service = await startService({ now: at(10 * 24 + 2) });
  await prepare(service, 10);
  await service.restart({ retention_age: "1h" });
  await deleted(service);
  await service.server().checkNow();
  expect((await windows(service)).map(({ rows, labelled }) => [rows, labelled])).toEqual(
    Array(10).fill([24 * PER_HOUR, 0.25]),
  );
}, 30_000);

it("takes a deleted record for new when it comes again, without counting it twice, and deletes it again", async () => {
  const service = await startService({ now: at(10 * 24 + 2), settings: { retention_age: "4d" } });
  await prepare(service, 10);
  await service.server().checkNow();
  await service.restart();
  await deleted(service);
  const [oldest] = recordsOf(1);
  const newest = recordsOf(10).at(-1);
  const [label] = labelsOf(1);
  for (const round of ["in the same process", "after a restart"]) {
    expect(await service.post("/v1/models/shop/records", [oldest, newest]), round).toMatchObject({
      stored: round === "in the same process" ? 1 : 0,
      duplicates: round === "in the same process" ? 1 : 2,
    });
    expect(await service.post("/v1/models/shop/labels", [label]), round).toMatchObject({
      stored: round === "in the same process" ? 1 : 0,
    });
    await service.restart({}); // without retention
  }
  await service.post("/v1/models/shop/monitors/daily/run", {
    from: at(0).toISOString(),
    to: at(24).toISOString(),
  });
  expect((await windows(service))[0]).toMatchObject({ rows: 24 * PER_HOUR, labelled: 0.25 });
  await service.restart({ retention_age: "4d" });
  expect(await deleted(service)).toEqual(["1 records of shop", "1 labels of shop"]);
}, 30_000);

it("deletes labels whose record never came, once they are as old themselves", async () => {
  const service = await startService({ now: at(0), settings: { retention_age: "4d" } });
  await service.post("/v1/models/shop/labels", [{ id: "never", label: 1 }]);
  service.setNow(at(3 * 24));
  await service.post("/v1/models/shop/labels", [{ id: "late", label: 1 }]);
  service.setNow(at(5 * 24));
  await service.restart();
  expect(await deleted(service)).toEqual(["0 records of shop", "1 labels of shop"]);
  expect(await service.get("/v1/models/shop/labels?id=late")).toMatchObject({ labels: [{ label: 1 }] });
  expect(await service.post("/v1/models/shop/labels", [{ id: "never", label: 1 }])).toMatchObject({
    stored: 1,
  });
}, 30_000);

it("has an age of its own for a model, and forever", async () => {
  const service = await startService({ now: at(10 * 24) });
  for (const model of ["shop", "forever", "longer"]) {
    await service.post(`/v1/models/${model}/records`, recordsOf(10));
  }
  await service.restart({
    retention_age: "2d",
    models: { forever: { retention_age: "forever" }, longer: { retention_age: "1w" } },
  });
  await deleted(service);
  const left = async (model: string) => count(service, `select count(*) / ${24 * PER_HOUR} from ${model}`);
  expect([await left("shop"), await left("longer"), await left("forever")]).toEqual([2, 7, 10]);
}, 30_000);

it("by size deletes the oldest days of all models first, and never the current one", async () => {
  const service = await startService({ now: at(6 * 24 - 1) });
  const wide = recordsOf(6).flatMap((record) =>
    Array.from({ length: 10 }, (_, row) => ({
      ...record,
      row,
      inputs: { text: `${record.id}-${row}-`.repeat(12), a: Math.sin(row), b: Math.cos(row) },
    })),
  );
  for (let from = 0; from < wide.length; from += 4_800) {
    await service.post("/v1/models/shop/records", wide.slice(from, from + 4_800));
  }
  await service.restart(); // what is in the log goes into the file
  const bytes = async () => Number(/^leeway_store_bytes (\d+)/m.exec(await service.text("/metrics"))?.[1]);
  await deleted(service);
  const all = await bytes();
  await service.restart({ retention_size: `${Math.floor(all / 2 / 1_000)}KB` });
  await deleted(service);
  const days = Number(await count(service, "select count(distinct time::date) from shop"));
  expect(await bytes()).toBeLessThanOrEqual(all * 0.5);
  expect(days).toBeGreaterThan(0);
  expect(days).toBeLessThan(6);
  expect(await count(service, "select min(time)::date::varchar from shop")).toBe(
    `2026-01-${String(11 - days).padStart(2, "0")}`,
  );

  await service.restart({ retention_size: "1KB" });
  await deleted(service);
  expect(await count(service, "select count(distinct time::date) from shop")).toBe(1);
  expect(await count(service, "select min(time)::date::varchar from shop")).toBe("2026-01-10");
}, 60_000);
