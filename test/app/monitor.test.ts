import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compareFiles } from "../../app/compare-files.ts";
import { configSchema } from "../../app/config-schema.ts";
import { createLog } from "../../app/log.ts";
import { type RunningServer, startServer } from "../../app/server.ts";
import { normalSample, seededRandom } from "../../drift/distributions/random.ts";
import type { WindowResult } from "../../schema/drift-result.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2024, 0, 1); // a Monday
const PER_HOUR = 12;

interface Row {
  readonly time: string;
  readonly amount: number | null;
  readonly city: string;
  readonly member: boolean;
}

let folder: string;
let clock: Date;
let server: RunningServer;

const config = () => configSchema.parse({ port: 0, data_dir: join(folder, "data"), log_level: "silent" });

async function start(): Promise<void> {
  server = await startServer(config(), {
    now: () => clock,
    log: createLog({ level: "silent" }),
    checkEveryMs: 3_600_000,
  });
}

/** Rows of whole days: amounts with a daily rhythm, three cities, a flag. */
function rowsOf(
  fromDay: number,
  days: number,
  seed: number,
  change: (row: Row) => Row = (row) => row,
): Row[] {
  const random = seededRandom(seed);
  return Array.from({ length: days * 24 * PER_HOUR }, (_, i) => {
    const time = new Date(START + fromDay * DAY + (i * HOUR) / PER_HOUR);
    const amount = 100 + 20 * Math.sin((time.getUTCHours() / 24) * 2 * Math.PI) + 15 * normalSample(random);
    return change({
      time: time.toISOString(),
      amount: random() < 0.02 ? null : amount,
      city: ["oslo", "bergen", "narvik"][Math.floor(random() ** 2 * 3)] ?? "oslo",
      member: random() < 0.4,
    });
  });
}

function toCsv(rows: readonly Row[]): string {
  return `time,amount,city,member\n${rows.map((row) => [row.time, row.amount ?? "", row.city, row.member].join(",")).join("\n")}\n`;
}

async function call(
  method: string,
  path: string,
  body?: string | object,
  type = "application/json",
): Promise<Response> {
  return fetch(`${server.url}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: typeof body === "string" ? body : JSON.stringify(body), headers: { "content-type": type } }),
  });
}

async function send(rows: readonly Row[], batch = ""): Promise<void> {
  const lines = rows.map(({ time, ...inputs }, i) =>
    JSON.stringify({
      id: `${time}-${i}${batch}`,
      time,
      version: "1",
      inputs,
      outputs: { score: (inputs.amount ?? 0) / 200 },
    }),
  );
  const response = await call("POST", "/v1/models/shop/records", lines.join("\n"), "application/x-ndjson");
  expect(response.status).toBe(202);
  expect(await response.json()).toMatchObject({ received: rows.length, stored: rows.length, rejected: 0 });
}

async function results(query = ""): Promise<WindowResult[]> {
  const response = await call("GET", `/v1/models/shop/drift?monitor=daily${query}`);
  return ((await response.json()) as { windows: WindowResult[] }).windows.reverse();
}

async function prepare(monitor: object = {}): Promise<void> {
  const baseline = await call(
    "PUT",
    "/v1/models/shop/versions/1/baseline",
    toCsv(rowsOf(0, 28, 1)),
    "text/csv",
  );
  expect(baseline.status, await baseline.clone().text()).toBe(201);
  const put = await call("PUT", "/v1/models/shop/monitors/daily", { window: "1d", grace: "1h", ...monitor });
  expect(put.status, await put.clone().text()).toBe(200);
}

const at = (day: number, hour = 2) => new Date(START + day * DAY + hour * HOUR);
const column = (result: WindowResult | undefined, name: string) =>
  result?.columns.find((candidate) => candidate.name === name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "leeway-monitor-"));
  clock = at(28);
  await start();
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("a monitor", () => {
  it("shows each monitor all of its own columns when two watch different ones of one baseline", async () => {
    await prepare({ columns: ["amount"] });
    const put = await call("PUT", "/v1/models/shop/monitors/cities", {
      window: "1d",
      grace: "1h",
      columns: ["city"],
    });
    expect(put.status).toBe(200);
    const rows = rowsOf(28, 1, 2);
    await send(rows);
    clock = at(29);
    await server.checkNow();
    const cities = await call("GET", "/v1/models/shop/drift?monitor=cities");
    const [watched] = ((await cities.json()) as { windows: WindowResult[] }).windows;
    expect(column(watched, "city")?.current).toMatchObject({ count: rows.length });
    expect(watched?.columns).toHaveLength(1);
    const [daily] = await results();
    expect(column(daily, "amount")?.current).toMatchObject({ count: rows.length });
  });

  it("checks each window once it has closed: quiet, drifted, a changed unit, an empty one", async () => {
    await prepare();
    await send(rowsOf(28, 1, 2));
    clock = at(29, 0.5); // before the grace is over
    expect(await server.checkNow()).toMatchObject({ checked: 0 });
    clock = at(29);
    expect(await server.checkNow()).toMatchObject({ checked: 1, failed: [] });
    expect(await server.checkNow()).toMatchObject({ checked: 0 });

    await send(rowsOf(29, 1, 3, (row) => ({ ...row, city: row.city === "narvik" ? "oslo" : "narvik" })));
    await send(
      rowsOf(30, 1, 4, (row) => ({ ...row, amount: row.amount === null ? null : row.amount * 1.609344 })),
    );
    clock = at(32);
    expect(await server.checkNow()).toMatchObject({ checked: 3, failed: [] });

    const [quiet, drifted, unit, empty] = await results();
    expect(quiet, JSON.stringify(quiet?.dataset)).toMatchObject({
      from: "2024-01-29T00:00:00.000Z",
      rows: 288,
      dataset: { verdict: "stable" },
    });
    expect(drifted?.dataset).toMatchObject({ verdict: "drifted", drifted: 1 });
    expect(column(drifted, "city")).toMatchObject({
      verdict: "drifted",
      calibration: { method: "windows", windows: 28 },
    });
    expect(unit?.dataset.verdict).toBe("quality");
    expect(column(unit, "amount")).toMatchObject({ verdict: "quality", cause: { kind: "unit-change" } });
    expect(column(unit, "amount")?.cause?.factor).toBeCloseTo(1.609, 3);
    expect(empty).toMatchObject({ rows: 0, dataset: { verdict: "too-few" } });
  });

  it("says the same as comparing the files, bin by bin", async () => {
    await prepare();
    const rows = rowsOf(28, 1, 7, (row) => ({ ...row, amount: row.amount === null ? null : row.amount + 6 }));
    await send(rows);
    clock = at(29);
    await server.checkNow();
    const [checked] = await results();
    const baseline = join(folder, "baseline.csv");
    const current = join(folder, "current.csv");
    writeFileSync(baseline, toCsv(rowsOf(0, 28, 1)));
    writeFileSync(current, toCsv(rows));
    const compared = await compareFiles(baseline, current, { timeColumn: "time" });
    if (!("columns" in compared)) throw new Error("expected columns");
    for (const name of ["amount", "city", "member"]) {
      const stored = column(checked, name);
      const exact = compared.columns.find((candidate) => candidate.name === name);
      expect(stored?.current?.count, name).toBe(exact?.current?.count);
      expect(stored?.current?.missing, name).toBe(exact?.current?.missing);
      expect(stored?.p_value ?? 1, name).toBeCloseTo(exact?.p_value ?? 0, 9);
      for (const statistic of ["psi", "jensen_shannon", "hellinger", "kl", "chi_square", "tvd"]) {
        expect(stored?.statistics[statistic]?.value ?? 0, `${name} ${statistic}`).toBeCloseTo(
          exact?.statistics[statistic]?.value ?? 0,
          9,
        );
      }
    }
    const ks = (result: typeof compared.columns) =>
      result.find(({ name }) => name === "amount")?.statistics.ks?.value ?? 0;
    expect(Math.abs(ks(checked?.columns ?? []) - ks(compared.columns))).toBeLessThan(0.011);
    expect(column(checked, "amount")?.current?.mean).toBeCloseTo(
      compared.columns.find(({ name }) => name === "amount")?.current?.mean ?? 0,
      9,
    );
  });

  it("catches up on windows that closed while the service was down, once each", async () => {
    await prepare();
    await send(rowsOf(28, 3, 5));
    clock = at(29);
    await server.checkNow();
    await server.close();
    clock = at(31);
    await start();
    await server.checkNow();
    await server.checkNow();
    expect((await results()).map(({ from, rows }) => [from.slice(0, 10), rows])).toEqual([
      ["2024-01-29", 288],
      ["2024-01-30", 288],
      ["2024-01-31", 288],
    ]);
  });

  it("counts a late record when its window is checked again, and replaces the result", async () => {
    await prepare({ enabled: false });
    await send(rowsOf(28, 1, 6));
    const run = async () => {
      const response = await call("POST", "/v1/models/shop/monitors/daily/run", {
        from: at(28, 0).toISOString(),
        to: at(29, 0).toISOString(),
      });
      return ((await response.json()) as { windows: WindowResult[] }).windows;
    };
    expect((await run()).map(({ rows }) => rows)).toEqual([288]);
    await send(rowsOf(28, 1, 8).slice(0, 10), "late");
    const [again] = await run();
    expect(again?.rows).toBe(298);
    expect(column(again, "amount")?.current?.count).toBe(298);
    expect(await results()).toHaveLength(1);
  });

  it("goes over a long stretch without records without checking each window of it", async () => {
    await prepare({ start: at(28, 0).toISOString() });
    await send(rowsOf(28, 1, 9));
    await send(rowsOf(400, 1, 10));
    clock = at(402);
    await server.checkNow();
    const windows = await results("&limit=500");
    expect(windows.length).toBeLessThan(10);
    expect(windows.map(({ rows }) => rows).filter((rows) => rows > 0)).toEqual([288, 288]);
  });

  it("keeps values of another type apart and calls them a quality fault, the other columns go on", async () => {
    await prepare();
    await send(
      rowsOf(28, 1, 11).map((row, i) => (i % 4 === 1 ? { ...row, amount: "n/a" as unknown as number } : row)),
    );
    clock = at(29);
    await server.checkNow();
    const [result] = await results();
    expect(column(result, "amount")?.verdict).toBe("quality");
    expect(column(result, "amount")?.reason).toContain("no finite number");
    expect(column(result, "city")?.verdict).toBe("stable");
  });

  it("refuses what cannot be, and says the way out", async () => {
    const early = await call("PUT", "/v1/models/shop/monitors/daily", { window: "1d" });
    expect(early.status).toBe(404);
    expect(((await early.json()) as { detail: string }).detail).toContain("leeway baseline create shop");
    await prepare();
    for (const [body, says] of [
      [{ window: "1 day" }, "duration"],
      [{ columns: ["nope"] }, "has no column"],
      [{ false_alarms: "often" }, "probability"],
      [{ windows: "1d" }, "windows"],
    ] as const) {
      const response = await call("PUT", "/v1/models/shop/monitors/daily", body);
      expect(response.status).toBe(400);
      expect(JSON.stringify(await response.json())).toContain(says);
    }
    expect((await call("GET", "/v1/models/shop/monitors/none")).status).toBe(404);
  });
});
