import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configOf } from "../../app/config-schema.ts";
import { createLog } from "../../app/log.ts";
import { type RunningServer, startServer } from "../../app/server.ts";

const CSV =
  "at,weekday,amount,score,bought\n2026-01-01T00:00:00Z,1,2.5,0.1,true\n2026-01-02T00:00:00Z,2,,0.4,false\n";

let folder: string;
let server: RunningServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "leeway-baseline-"));
  server = await startServer(configOf({ port: 0, data_dir: folder, max_baseline_bytes: 4096 }), {
    now: () => new Date("2026-02-01T00:00:00Z"),
    log: createLog({ level: "silent" }),
  });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function put(version: string, body: string, type = "text/csv", query = "") {
  const url = `${server.url}/v1/models/shop/versions/${version}/baseline${query}`;
  const response = await fetch(url, { method: "PUT", headers: { "content-type": type }, body });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

const columnsOf = ({ answer }: Awaited<ReturnType<typeof put>>) =>
  (answer.columns as { name: string; type: string; role: string; missing: number }[]).map(
    ({ name, type, role, missing }) => ({ name, type, role, missing }),
  );

describe("a baseline over HTTP", () => {
  it("finds the columns' types, roles and the time column", async () => {
    const made = await put("1", CSV, "text/csv", "?label=bought&prediction=score");
    expect(made.status).toBe(201);
    expect(made.answer).toMatchObject({ model: "shop", version: "1", rows: 2, time_column: "at" });
    expect(columnsOf(made)).toEqual([
      { name: "weekday", type: "numeric", role: "input", missing: 0 },
      { name: "amount", type: "numeric", role: "input", missing: 1 },
      { name: "score", type: "numeric", role: "prediction", missing: 0 },
      { name: "bought", type: "boolean", role: "label", missing: 0 },
    ]);
  });

  it("takes other types, and leaves out what is no feature", async () => {
    const made = await put("2", CSV, "text/csv", "?types=weekday=categorical&ignore=amount,bought");
    expect(columnsOf(made).map(({ name, type }) => `${name} ${type}`)).toEqual([
      "weekday categorical",
      "score numeric",
    ]);
  });

  it("reads NDJSON, and the newest baseline of a version is the one that counts", async () => {
    const lines = '{"weekday": 1, "city": "Ulm"}\n{"weekday": 2, "city": null}\n';
    expect((await put("3", CSV)).status).toBe(201);
    expect((await put("3", lines, "application/x-ndjson")).status).toBe(201);
    const newest = await fetch(`${server.url}/v1/models/shop/versions/3/baseline`);
    expect(await newest.json()).toMatchObject({ rows: 2, time_column: null });
  });

  it("is made from collected records", async () => {
    const record = (id: number) => ({ id: `r${id}`, time: `2026-01-0${id}T00:00:00Z`, inputs: { x: id } });
    await fetch(`${server.url}/v1/models/shop/records`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify([1, 2, 3].map(record)),
    });
    const range = JSON.stringify({ from: "2026-01-01T00:00:00Z", to: "2026-01-03T00:00:00Z" });
    const made = await put("4", range, "application/json");
    expect(made.answer).toMatchObject({ rows: 2, time_column: "time" });
    const none = JSON.stringify({ from: "2020-01-01T00:00:00Z", to: "2020-01-03T00:00:00Z" });
    expect((await put("4", none, "application/json")).answer).toMatchObject({
      code: "invalid-input",
      detail: 'model "shop" has no records from 2020-01-01T00:00:00Z to 2020-01-03T00:00:00Z',
    });
  });

  it.each([
    ["an unknown label", CSV, "text/csv", "?label=sold", 400, 'no column "sold": it has at, weekday'],
    ["an unknown type", CSV, "text/csv", "?types=weekday=day", 400, "weekday=day"],
    ["a type for no column", CSV, "text/csv", "?types=day=numeric", 400, 'no column "day"'],
    ["an empty file", "", "text/csv", "", 400, "the body is empty"],
    ["a file without rows", "a,b\n", "text/csv", "", 400, "no rows"],
    [
      "a file of another kind",
      "x",
      "image/png",
      "",
      415,
      "expected text/csv, application/vnd.apache.parquet",
    ],
    ["JSON that says no time", "{}", "application/json", "", 400, '"from": time'],
    ["a file that is no Parquet", "PAR0", "application/vnd.apache.parquet", "", 400, "arquet"],
    ["a file beyond the limit", CSV.repeat(60), "text/csv", "", 413, "larger than 4096 bytes"],
  ])("refuses %s", async (_, body, type, query, status, words) => {
    const refused = await put("9", body, type, query);
    expect(refused).toMatchObject({ status });
    expect(JSON.stringify(refused.answer.detail) + JSON.stringify(refused.answer.errors)).toContain(
      JSON.stringify(words).slice(1, -1),
    );
    expect(JSON.stringify(refused.answer)).not.toContain(folder); // paths of the machine are nobody's business
  });
});
