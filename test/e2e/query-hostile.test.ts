import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { growingQueries, heavyQueries, reachingQueries } from "./hostile-queries.ts";
import { makeFolder, type Served, serve } from "./leeway.ts";

const ROWS = 2_000;
const DAY = 24 * 3_600_000;
const START = Date.UTC(2026, 0, 5);

const folder = makeFolder();
let server: Served;

beforeAll(async () => {
  server = await serve(["--data-dir", join(folder.path, "data"), "--memory-limit", "300MB"]);
  await send(records(START, 14 * DAY));
  await counted(ROWS);
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
});

function records(from: number, length: number): string {
  const lines = Array.from({ length: ROWS }, (_, i) => ({
    id: `r${from}-${i}`,
    time: new Date(from + Math.floor((i * length) / ROWS)).toISOString(),
    version: "1",
    inputs: { age: 20 + ((i * 7) % 60), plan: i % 3 === 0 ? "gold" : "basic" },
    outputs: { score: (i % 100) / 100 },
  }));
  return lines.map((line) => JSON.stringify(line)).join("\n");
}

async function call(method: string, path: string, body: string, type = "application/json") {
  const response = await fetch(`${server.url}${path}`, { method, body, headers: { "content-type": type } });
  return { status: response.status, text: await response.text() };
}

async function send(body: string): Promise<void> {
  const { status, text } = await call("POST", "/v1/models/churn/records", body, "application/x-ndjson");
  expect(status, text).toBe(202);
  expect(JSON.parse(text)).toMatchObject({ stored: ROWS, rejected: 0 });
}

async function query(sql: string, more: object = {}) {
  const { status, text } = await call("POST", "/v1/query", JSON.stringify({ sql, ...more }));
  const parsed = JSON.parse(text) as {
    readonly rows: unknown[][];
    readonly code: string;
    readonly detail: string;
  };
  return { status, ...parsed };
}

/** Waits until what was sent is in the tables. */
async function counted(rows: number): Promise<void> {
  await vi.waitFor(async () => expect((await query("select count(*) from churn")).rows).toEqual([[rows]]), {
    timeout: 10_000,
    interval: 100,
  });
}

/** The query as it can stand in the name of a test. */
const shown = (sql: string) => JSON.stringify(sql.length > 100 ? `${sql.slice(0, 100)}…` : sql);

describe("a hostile query", () => {
  it.each(reachingQueries.map(([sql, says]) => [shown(sql), sql, says] as const))(
    "is refused: %s",
    async (_, sql, says) => {
      const { status, code, detail } = await query(sql);
      expect({ status, code }).toEqual({ status: 400, code: "invalid-input" });
      expect(detail).toMatch(says);
    },
  );

  it.each(growingQueries.map(([sql, says]) => [shown(sql), sql, says] as const))(
    "is refused before it runs: %s",
    async (_, sql, says) => {
      const { status, detail } = await query(sql);
      expect([400, 413]).toContain(status);
      expect(detail).toMatch(says);
    },
  );

  it.each(heavyQueries)("is ended by a limit: %s", async (sql, status, says) => {
    const answer = await query(sql, { time_limit_seconds: status === 504 ? 0.5 : 30 });
    expect(answer.detail).toMatch(says);
    expect(answer.status).toBe(status);
  });

  it("is ended by the limits of rows and length, but for JSON, which is cut and says so", async () => {
    const ask = (accept: string, body: object) =>
      fetch(`${server.url}/v1/query`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", accept },
      });
    const cut = await ask("application/json", { sql: "select * from range(1000000000000)", row_limit: 5 });
    expect(await cut.json()).toMatchObject({ rows: [[0], [1], [2], [3], [4]], truncated: true });
    const many = await ask("text/csv", { sql: "select * from range(1000000000000)", row_limit: 5 });
    expect([many.status, await many.text()]).toEqual([
      413,
      expect.stringMatching(/more than 5 rows: aggregate, add a limit, or name a higher row_limit/),
    ]);
    const long = await ask("text/csv", { sql: `select '${"x".repeat(5_000)}' from range(100000)` });
    expect([long.status, await long.text()]).toEqual([
      413,
      expect.stringMatching(/longer than 64 MB: select fewer columns or rows/),
    ]);
    const file = await ask("application/vnd.apache.parquet", {
      sql: "select range, hash(range) from range(1000000000000)",
    });
    expect([file.status, await file.text()]).toEqual([
      413,
      expect.stringMatching(/longer than 64 MB|of memory/),
    ]);
  });

  it("waits its turn, is told when too many wait, and holds up no records", async () => {
    const slow = { sql: "select max(range) from range(1000000000000)", time_limit_seconds: 0.5 };
    const [answers] = await Promise.all([
      Promise.all(Array.from({ length: 26 }, () => query(slow.sql, slow))),
      send(records(START + 20 * DAY, DAY)),
    ]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([504, 429]));
    expect(answers.find(({ status }) => status === 429)?.detail).toMatch(
      /20 wait, which is the most: try again/,
    );
  });

  it("ends when whoever asked is gone", async () => {
    const body = JSON.stringify({
      sql: "select max(range) from range(1000000000000)",
      time_limit_seconds: 250,
    });
    const headers = { "content-type": "application/json" };
    const gone = Array.from({ length: 4 }, () =>
      fetch(`${server.url}/v1/query`, { method: "POST", body, headers, signal: AbortSignal.timeout(200) }),
    );
    for (const { status } of await Promise.allSettled(gone)) expect(status).toBe("rejected");
    expect((await query("select 1", { time_limit_seconds: 20 })).rows).toEqual([[1]]);
  });

  it("leaves a service that is well, has lost nothing, takes records and runs its monitors", async () => {
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    expect(existsSync("/tmp/leeway-stolen.csv")).toBe(false);
    await counted(2 * ROWS);
    const baseline = await call(
      "PUT",
      "/v1/models/churn/versions/1/baseline",
      JSON.stringify({ from: new Date(START).toISOString(), to: new Date(START + 14 * DAY).toISOString() }),
    );
    expect(baseline.status, baseline.text).toBe(201);
    const monitor = await call(
      "PUT",
      "/v1/models/churn/monitors/daily",
      JSON.stringify({ window: "1d", columns: ["age", "plan"] }),
    );
    expect(monitor.status, monitor.text).toBe(200);
    await send(records(START + 14 * DAY, DAY));
    await counted(3 * ROWS);
    const run = await call(
      "POST",
      "/v1/models/churn/monitors/daily/run",
      JSON.stringify({
        from: new Date(START + 14 * DAY).toISOString(),
        to: new Date(START + 15 * DAY).toISOString(),
      }),
    );
    expect(run.status, run.text).toBeLessThan(300);
    const { rows } = await query(
      `select rows, verdict from results.windows where epoch_ms(window_from) = ${START + 14 * DAY}`,
    );
    expect(rows).toEqual([[ROWS, expect.stringMatching(/stable|drifted/)]]);
  });

  it("leaves the memory of the service bounded", async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    const resident = Number(/^process_resident_memory_bytes (\S+)/m.exec(metrics)?.[1]);
    expect(resident).toBeLessThan(1_000_000_000);
  });
});
