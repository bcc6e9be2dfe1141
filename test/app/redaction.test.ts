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
