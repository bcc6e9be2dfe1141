import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { configOf } from "../../app/config-schema.ts";
import { createLog } from "../../app/log.ts";
import { type RunningServer, startServer } from "../../app/server.ts";
import { normalSample, seededRandom } from "../../drift/distributions/random.ts";
import { type Receiver, startReceiver } from "../events/receiver.ts";

const DAY = 86_400_000;
const START = Date.UTC(2026, 8, 1);
const PER_DAY = 96;
const KEYS = { admin: "lw_the-key-of-an-administrator", viewer: "lw_the-key-of-one-who-looks-on" };

let folder: string;
let trainer: Receiver;
let server: RunningServer;
const now = new Date(START + 32 * DAY + 3_600_000); // both windows have closed, their grace is over

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "leeway-loop-"));
  trainer = await startReceiver(202);
  server = await startServer(
    configOf({
      port: 0,
      data_dir: folder,
      api_keys: [
        { name: "admin", role: "admin", key: KEYS.admin },
        { name: "viewer", role: "viewer", key: KEYS.viewer },
      ],
      alert_rules: { drift: {} },
      retrain_policies: {
        nightly: {
          model: "shop",
          monitor: "daily",
          windows: 2,
          of_last: 2,
          data_window: "2d",
          target: { type: "webhook", url: trainer.url },
        },
      },
    }),
    { now: () => now, log: createLog({ level: "silent" }), checkEveryMs: 3_600_000 },
  );
});
afterEach(async () => {
  await server.close();
  await trainer.close();
  await rm(folder, { recursive: true });
});

/** Amounts over some days, beginning with the given one. */
function rows(fromDay: number, days: number, mean: number) {
  const random = seededRandom(fromDay);
  return Array.from({ length: days * PER_DAY }, (_, i) => ({
    time: new Date(START + fromDay * DAY + (i * DAY) / PER_DAY).toISOString(),
    amount: mean + 10 * normalSample(random),
  }));
}

async function call(
  method: string,
  url: string,
  { key = KEYS.admin, body = "", type = "application/json" } = {},
) {
  const response = await fetch(new URL(url, server.url), {
    method,
    headers: {
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(body ? { "content-type": type } : {}),
    },
    ...(body ? { body } : {}),
  });
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}
const get = async (url: string) => JSON.parse((await call("GET", url)).bytes.toString());

async function drift(): Promise<void> {
  const csv = `time,amount\n${rows(0, 30, 100)
    .map(({ time, amount }) => `${time},${amount}`)
    .join("\n")}\n`;
  await call("PUT", "/v1/models/shop/versions/1/baseline", { body: csv, type: "text/csv" });
  await call("PUT", "/v1/models/shop/monitors/daily", { body: "{}" });
  const records = rows(30, 2, 130).map(({ time, amount }, i) =>
    JSON.stringify({ id: String(i), time, version: "1", inputs: { amount }, outputs: {} }),
  );
  const sent = await call("POST", "/v1/models/shop/records", {
    body: records.join("\n"),
    type: "application/x-ndjson",
  });
  expect(sent.status, sent.bytes.toString()).toBe(202);
  await server.checkNow();
}

describe("a service that sees drift", () => {
  it("hands a trainer the window as Parquet, and takes its word with the run's token only", async () => {
    await drift();
    expect((await get("/v1/retrain-policies/nightly/decisions")).decisions).toMatchObject([
      { reason: "drift-persisted" },
      { reason: "not-yet-persistent" },
    ]);
    await vi.waitFor(() => expect(trainer.received).toHaveLength(1), { timeout: 10_000 });
    const { data } = JSON.parse(trainer.received[0]?.body ?? "");

    expect((await call("GET", data.data.parquet_url, { key: "" })).status).toBe(401);
    expect((await call("GET", data.data.parquet_url, { key: data.status_token })).status).toBe(401);
    const file = await call("GET", data.data.parquet_url, { key: KEYS.viewer });
    expect(file.status).toBe(200);
    expect(file.bytes.subarray(0, 4).toString()).toBe("PAR1");
    expect(file.headers.get("x-leeway-rows")).toBe(String(2 * PER_DAY));
    expect(file.headers.get("digest")).toBe(
      `sha-256=${createHash("sha256").update(file.bytes).digest("base64")}`,
    );

    const body = JSON.stringify({ status: "completed", version: "2" });
    expect((await call("POST", data.status_url, { key: "", body })).status).toBe(401);
    expect((await call("POST", data.status_url, { key: "lwr_guessed", body })).status).toBe(401);
    expect((await call("POST", data.status_url, { key: KEYS.viewer, body })).status).toBe(403);
    expect((await call("POST", data.status_url, { key: data.status_token, body })).status).toBe(200);
    expect((await get(`/v1/retrain-runs/${data.run_id}`)).status).toBe("completed");
  });

  it("ends the alert when its monitor is deleted", async () => {
    await drift();
    expect((await get("/v1/alerts")).alerts).toMatchObject([{ state: "firing", monitor: "daily" }]);
    expect((await call("DELETE", "/v1/models/shop/monitors/daily")).status).toBe(204);
    expect((await get("/v1/alerts")).alerts).toMatchObject([{ state: "resolved" }]);
  });
});
