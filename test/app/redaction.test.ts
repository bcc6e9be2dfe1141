import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startService, type TestService } from "./test-service.ts";

const MARK = "plainvalue";
const settings = {
  redact_key: "a key that nobody guesses",
  models: { churn: { redact: { email: "drop", name: "hash", zip: "truncate:2" } } },
};

function holding({ dataDir }: TestService, text: string): string[] {
  return readdirSync(dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}

function half(side: "request" | "response", id: string) {
  const body =
    side === "request"
      ? { instances: [{ email: `${MARK}@example.org`, name: MARK, zip: `98${MARK}`, kept: `open-${id}` }] }
      : { predictions: [0.5] };
  return {
    body: JSON.stringify(body),
    headers: {
      "content-type": "application/json",
      "ce-specversion": "1.0",
      "ce-id": id,
      "ce-source": "test",
      "ce-type": `org.kubeflow.serving.inference.${side}`,
      "ce-inferenceservicename": "churn",
      "ce-time": "2026-01-05T10:00:00Z",
    },
  };
}

async function capture(service: TestService, side: "request" | "response", id: string) {
  const response = await fetch(`${service.server().url}/v1/capture/kserve?model=churn`, {
    method: "POST",
    ...half(side, id),
  });
  return (await response.json()) as Record<string, unknown>;
}

async function stored(service: TestService): Promise<unknown[][]> {
  await service.get("/v1/models/churn/labels?id=x"); // looks into the tables, so everything has to be there
  const sql = "select in_name, in_zip, in_kept from churn order by in_kept";
  return ((await service.post("/v1/query", { sql })) as { rows: unknown[][] }).rows;
}

const HASH = expect.stringMatching(/^[0-9a-f]{32}$/);

it("half of a captured call waits sealed, and is redacted once the other half has come", async () => {
  const service = await startService({ now: new Date("2026-01-05T10:00:00Z"), settings });
  expect(await capture(service, "request", "a")).toMatchObject({ waiting: 1 });
  expect(holding(service, MARK)).toEqual([]);
  await service.restart();
  expect(holding(service, MARK)).toEqual([]);
  expect(await capture(service, "response", "a")).toMatchObject({ stored: 1, waiting: 0 });
  expect(await stored(service)).toEqual([[HASH, "98", "open-a"]]);
  expect(holding(service, MARK)).toEqual([]);
});

it("half of a call that was sealed with a key that is gone is as good as lost", async () => {
  const service = await startService({ now: new Date("2026-01-05T10:00:00Z"), settings });
  await capture(service, "request", "a");
  await service.restart({ ...settings, redact_key: "another key that nobody knows" });
  expect(await capture(service, "response", "a")).toMatchObject({ stored: 0, waiting: 1 });
});

it.each([
  {
    type: "text/csv",
    body: `id,in_email,in_name,in_zip,in_kept\n1,${MARK}@example.org,${MARK},98${MARK},open-1\n`,
  },
  {
    type: "application/x-ndjson",
    body: JSON.stringify({ id: "1", inputs: { email: MARK, name: MARK, zip: `98${MARK}`, kept: "open-1" } }),
  },
])("$type leaves no plain value in the data folder", async ({ type, body }) => {
  const service = await startService({ now: new Date("2026-01-05T10:00:00Z"), settings });
  const response = await fetch(`${service.server().url}/v1/models/churn/records`, {
    method: "POST",
    headers: { "content-type": type },
    body,
  });
  expect(await response.json()).toMatchObject({ stored: 1 });
  expect(await stored(service)).toEqual([[HASH, "98", "open-1"]]);
  expect(holding(service, MARK)).toEqual([]);
});

it("a table is sampled as single records are", async () => {
  const service = await startService({
    now: new Date("2026-01-05T10:00:00Z"),
    settings: { models: { churn: { sample: 0.1 } } },
  });
  const lines = Array.from({ length: 2_000 }, (_, i) => `r${i},${i},200`).join("\n");
  const response = await fetch(`${service.server().url}/v1/models/churn/records`, {
    method: "POST",
    headers: { "content-type": "text/csv" },
    body: `id,in_x,status\n${lines}\n`,
  });
  const answer = (await response.json()) as { stored: number; sampled_out: number };
  expect(answer.stored + answer.sampled_out).toBe(2_000);
  expect(answer.stored).toBeGreaterThan(120);
  expect(answer.stored).toBeLessThan(280);
});

it("a baseline keeps no plain value either, and knows the hashes that records have", async () => {
  const service = await startService({ now: new Date("2026-01-07T00:00:00Z"), settings });
  const names = ["ada", "bob", "cyd"].map((name) => `${MARK} ${name}`);
  const row = (i: number) => ({
    email: `${MARK}${i}@example.org`,
    name: names[(i * i) % 3] ?? "",
    zip: `${90 + (i % 4)}${MARK}`,
    kept: i,
  });
  const lines = Array.from({ length: 2_400 }, (_, i) => {
    const { email, name, zip, kept } = row(i);
    return `2025-12-${String(1 + Math.floor(i / 100)).padStart(2, "0")}T10:00:00Z,${email},${name},${zip},${kept}`;
  });
  const made = await service.put(
    "/v1/models/churn/versions/1/baseline",
    `time,email,name,zip,kept\n${lines.join("\n")}\n`,
    "text/csv",
  );
  const columns = made.columns as { name: string; categories?: { category: string }[] }[];
  expect(columns.map(({ name }) => name)).toEqual(["name", "zip", "kept"]);
  expect(columns[0]?.categories).toEqual([
    { category: HASH, count: 1_600 },
    { category: HASH, count: 800 },
  ]);
  expect(columns[1]?.categories?.map(({ category }) => category)).toEqual(["90", "91", "92", "93"]);
  await service.put("/v1/models/churn/monitors/daily", { window: "1d", grace: "1h" });
  await service.post(
    "/v1/models/churn/records",
    Array.from({ length: 600 }, (_, i) => ({ id: `${i}`, time: "2026-01-05T00:30:00Z", inputs: row(i * 4) })),
  );
  await service.server().checkNow();
  const { windows } = (await service.get("/v1/models/churn/drift?monitor=daily")) as {
    windows: { from: string; columns: { name: string; verdict: string }[] }[];
  };
  const checked = windows.find(({ from }) => from.startsWith("2026-01-05"));
  expect(checked?.columns.find(({ name }) => name === "name")).toMatchObject({ verdict: "stable" });
  expect(holding(service, MARK)).toEqual([]);
  const again = await service.put("/v1/models/churn/versions/2/baseline", {
    from: "2026-01-05T00:00:00Z",
    to: "2026-01-06T00:00:00Z",
  });
  const [hashed] = again.columns as { name: string; categories: { category: string }[] }[];
  expect(hashed?.categories.map(({ category }) => category)).toEqual(
    columns[0]?.categories?.map(({ category }) => category),
  );
});
