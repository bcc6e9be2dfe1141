import { createHash } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openDataset } from "../../store/dataset.ts";
import { startService, type TestService } from "./test-service.ts";

interface Manifest {
  readonly sha256: string;
  readonly bytes: number;
  readonly rows: number;
  readonly url: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

const now = new Date("2026-01-06T00:00:00Z");
const window = { from: "2026-01-05T01:00:00Z", to: "2026-01-05T03:00:00Z" };
const records = Array.from({ length: 300 }, (_, i) => ({
  id: `r${i}`,
  time: new Date(Date.UTC(2026, 0, 5) + i * 60_000).toISOString(),
  inputs: { x: i, label: "taken" },
  outputs: { score: i / 300 },
}));

async function prepared(): Promise<TestService> {
  const service = await startService({ now });
  await service.post("/v1/models/shop/records", records.toReversed());
  await service.post("/v1/models/shop/labels", [{ id: "r70", label: 1 }]);
  return service;
}

async function fetched(service: TestService, { url, sha256, bytes }: Manifest) {
  const response = await fetch(`${service.server().url}${url}`);
  const body = Buffer.from(await response.arrayBuffer());
  expect(body.length).toBe(bytes);
  expect(createHash("sha256").update(body).digest("hex")).toBe(sha256);
  const file = join(service.dataDir, "..", `${sha256}.parquet`);
  writeFileSync(file, body);
  return openDataset(file);
}

it("writes a window to a file and says what it holds; the same records make the same file", async () => {
  const service = await prepared();
  const made = (await service.post("/v1/models/shop/exports", window)) as unknown as Manifest;
  expect(made).toMatchObject({
    model: "shop",
    from: "2026-01-05T01:00:00.000Z",
    to: "2026-01-05T03:00:00.000Z",
    form: "records",
    rows: 120,
    created_at: now.toISOString(),
    created_by: expect.stringMatching(/^leeway \d+\.\d+\.\d+/),
  });
  const dataset = await fetched(service, made);
  expect(dataset.rows).toBe(120);
  expect(dataset.columns.map(({ name }) => name)).toEqual(made.columns.map(({ name }) => name));
  expect(made.columns).toContainEqual({ name: "in_x", type: "DOUBLE" });
  expect((await dataset.numeric("in_x")).sorted[0]).toBe(60);
  expect((await dataset.numeric("label")).missing).toBe(119);
  await dataset.close();
  expect(await service.get(`${made.url}/manifest`)).toEqual(made);

  const again = (await service.post("/v1/models/shop/exports", window)) as unknown as Manifest;
  expect(again.sha256).toBe(made.sha256);
  await service.post("/v1/models/shop/labels", [{ id: "r71", label: 1 }]);
  const changed = (await service.post("/v1/models/shop/exports", window)) as unknown as Manifest;
  expect(changed.sha256).not.toBe(made.sha256);
});

it("writes training data: features by their own names, clashes told apart", async () => {
  const service = await prepared();
  const made = (await service.post("/v1/models/shop/exports", {
    ...window,
    form: "training",
  })) as unknown as Manifest;
  expect(made.columns.map(({ name }) => name).toSorted()).toEqual(["label", "label_", "score", "time", "x"]);
  await (await fetched(service, made)).close();
});

it("keeps a file for an hour, and none over a restart", async () => {
  const service = await prepared();
  const made = (await service.post("/v1/models/shop/exports", window)) as unknown as Manifest;
  service.setNow(new Date(now.getTime() + 59 * 60_000));
  expect(await service.get(`${made.url}/manifest`)).toEqual(made);
  service.setNow(new Date(now.getTime() + 61 * 60_000));
  expect(await service.get(`${made.url}/manifest`)).toMatchObject({
    detail: expect.stringContaining("kept for an hour"),
  });
  expect(readdirSync(join(service.dataDir, "exports"))).toEqual([]);
  await service.post("/v1/models/shop/exports", window);
  await service.restart();
  expect(readdirSync(join(service.dataDir, "exports"))).toEqual([]);
});

it("refuses windows the wrong way round, models nobody has heard of, and what is no export", async () => {
  const service = await prepared();
  await expect(service.post("/v1/models/shop/exports", { from: window.to, to: window.from })).rejects.toThrow(
    "before to",
  );
  await expect(service.post("/v1/models/nobody/exports", window)).rejects.toThrow(
    "no records were collected",
  );
  expect(await service.get(`/v1/exports/${"0".repeat(64)}`)).toMatchObject({ status: 404 });
  expect(await service.get("/v1/exports/..%2f..%2fkeys")).toMatchObject({ status: 400 });
});
