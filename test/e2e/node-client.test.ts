import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { CaptureClient } from "../../collector/client/capture-client.ts";
import { makeFolder, type Served, serve } from "./leeway.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const folder = makeFolder();
let server: Served;
beforeAll(async () => {
  server = await serve(["--data-dir", join(folder.path, "data")]);
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
});

async function rows(sql: string): Promise<unknown[][]> {
  const response = await fetch(`${server.url}/v1/query`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sql }),
  });
  return ((await response.json()) as { readonly rows?: unknown[][] }).rows ?? [];
}

async function stored(sql: string, expected: unknown[][]): Promise<void> {
  await vi.waitFor(async () => expect(await rows(sql)).toEqual(expected), { timeout: 10_000, interval: 100 });
}

interface Receiver {
  readonly url: string;
  /** The ids of each request's records. */
  readonly requests: string[][];
}

/** A collector that answers the n-th request as it is told; 202 when it is told nothing more. */
async function receiver(statuses: readonly number[]): Promise<Receiver> {
  const requests: string[][] = [];
  const http = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const lines = gunzipSync(Buffer.concat(parts)).toString().trim().split("\n");
    const status = statuses[requests.length] ?? 202;
    requests.push(lines.map((line) => (JSON.parse(line) as { readonly id: string }).id));
    response.writeHead(status, { "content-type": "application/json" });
    response.end(
      JSON.stringify({
        received: lines.length,
        stored: lines.length,
        duplicates: 0,
        rejected: 0,
        errors: [],
      }),
    );
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, requests };
}

const NOBODY = "http://127.0.0.1:9";

describe("the capture client", () => {
  it("runs as docs/clients.md has it", async () => {
    const guide = readFileSync(join(ROOT, "docs/clients.md"), "utf8");
    const [, example = ""] = /```ts\n([\s\S]*?)```/.exec(guide) ?? [];
    const client = join(ROOT, "collector/client/capture-client.ts");
    const program = join(folder.path, "example.mjs");
    writeFileSync(
      program,
      example.replace("leeway/client", client).replace("http://127.0.0.1:8420", server.url),
    );
    const printed = vi.spyOn(console, "log").mockImplementation(() => undefined);
    await import(program);
    const [[id], [stats]] = printed.mock.calls as [[string], [object]];
    printed.mockRestore();
    expect(stats).toMatchObject({ captured: 1, stored: 1, dropped: 0, waiting: 0 });
    await stored(`select version, status, in_age, in_plan, out_score from churn where record_id = '${id}'`, [
      ["7", 200, 42, "gold", 0.7],
    ]);
  });

  it("stores everything that is captured, once, in batches", async () => {
    const client = new CaptureClient({
      collector: server.url,
      model: "many",
      batchMs: 50,
      batchBytes: 20_000,
    });
    const ids = Array.from({ length: 5_000 }, (_, i) =>
      client.capture({ inputs: { i, big: 2n ** 60n, nan: i === 0 ? Number.NaN : 1 } }),
    );
    expect(new Set(ids).size).toBe(5_000);
    expect(await client.flush()).toBe("sent");
    expect(await client.close()).toMatchObject({
      captured: 5_000,
      stored: 5_000,
      dropped: 0,
      waiting: 0,
      failures: 0,
    });
    await stored("select count(*), count(distinct in_i), count(in_nan) from many where in_big > 1e18", [
      [5_000, 5_000, 4_999],
    ]);
  });

  it("keeps a sample by id with its weight, and every error", async () => {
    const client = new CaptureClient({ collector: server.url, model: "sampled", sample: 0.25 });
    for (let i = 0; i < 2_000; i++) {
      client.capture({ id: `r${i}`, inputs: { i }, status: i % 10 === 0 ? 500 : 200 });
    }
    const { sampledOut, stored: kept } = await client.close();
    expect(sampledOut + kept).toBe(2_000);
    expect(sampledOut).toBeGreaterThan(1_200);
    await stored("select count(*), sum(weight) from sampled where status = 500", [[200, 200]]);
    await stored("select count(*), min(weight), max(weight) from sampled where status = 200", [
      [kept - 200, 4, 4],
    ]);
    expect(() => new CaptureClient({ collector: NOBODY, model: "m", sample: 0 })).toThrow(
      /sample 0 is not between/,
    );
  });

  it("leaves the id of a failed call to the attempt that goes well", async () => {
    const client = new CaptureClient({ collector: server.url, model: "again" });
    const failed = client.capture({ id: "a", inputs: { i: 1 }, status: 503 });
    expect(failed).toMatch(/^a#[0-9a-f]{8}$/);
    expect(client.capture({ id: "a", inputs: { i: 1 }, outputs: { p: 0.5 }, status: 200 })).toBe("a");
    expect(await client.close()).toMatchObject({ stored: 2, duplicates: 0 });
    await stored("select record_id, status, out_p from again order by status", [
      ["a", 200, 0.5],
      [failed, 503, null],
    ]);
  });

  it("sends what waits by its age alone", async () => {
    const { url, requests } = await receiver([]);
    const client = new CaptureClient({ collector: url, model: "m", batchMs: 20 });
    client.capture({ id: "a", inputs: {} });
    await vi.waitFor(() => expect(requests).toEqual([["a"]]));
    client.capture({ id: "b", inputs: {} });
    await vi.waitFor(() => expect(requests).toEqual([["a"], ["b"]]));
    await client.close();
  });

  it("sends again what failed, with the same ids", async () => {
    const { url, requests } = await receiver([503, 500]);
    const client = new CaptureClient({ collector: url, model: "m", batchMs: 10 });
    const id = client.capture({ inputs: { a: 1 } });
    expect(await client.flush()).toBe("sent");
    expect(requests).toEqual([[id], [id], [id]]);
    expect(await client.close()).toMatchObject({ stored: 1, failures: 2, dropped: 0 });
  });

  it("does not throw, whatever it is given, and counts what it could not take", async () => {
    const client = new CaptureClient({ collector: NOBODY, model: "m" });
    const round: Record<string, unknown> = {};
    round.self = round;
    const hostile: unknown[] = [
      undefined,
      null,
      { inputs: round },
      { inputs: {}, time: new Date(Number.NaN) },
      {
        get inputs() {
          throw new Error("no");
        },
      },
    ];
    for (const record of hostile) expect(client.capture(record as never)).toBeUndefined();
    expect(client.stats).toMatchObject({ captured: hostile.length, dropped: hostile.length, waiting: 0 });
    await client.close(0);
    expect(client.capture({ inputs: {} })).toBeUndefined();
    expect(client.stats).toMatchObject({ captured: hostile.length + 1, dropped: hostile.length + 1 });
  });

  it("holds no more than it may while nobody answers; every record is counted", async () => {
    const memoryBytes = 50_000;
    const client = new CaptureClient({
      collector: NOBODY,
      model: "m",
      memoryBytes,
      batchBytes: 5_000,
      batchMs: 10,
    });
    const burst = () => {
      for (let i = 0; i < 2_000; i++) client.capture({ inputs: { text: String(Math.random()).repeat(5) } });
    };
    burst(); // before anything of it could be packed or sent
    expect(client.stats.waiting).toBeLessThan(500);
    await new Promise((resolve) => setTimeout(resolve, 100));
    burst();
    expect(client.stats.dropped).toBeGreaterThan(1_000);
    expect(await client.flush(50)).toBe("waiting");
    const { captured, dropped, waiting } = client.stats;
    expect(dropped + waiting).toBe(captured);
    expect(waiting).toBeLessThan(2_000);
    expect(await client.close(50)).toMatchObject({ captured: 4_000, dropped: 4_000, waiting: 0, stored: 0 });
  });

  it("keeps on disk what it cannot send, and the next process sends it, once", async () => {
    const spoolDir = join(folder.path, "spool");
    const options = { model: "spooled", spoolDir, batchMs: 10, batchBytes: 5_000 };
    const first = new CaptureClient({ ...options, collector: NOBODY });
    for (let i = 0; i < 300; i++) first.capture({ inputs: { i } });
    expect(await first.close(2_000)).toMatchObject({ captured: 300, dropped: 0, spooled: 300 });
    expect(readdirSync(join(spoolDir, "spooled")).length).toBeGreaterThan(1);
    const second = new CaptureClient({ ...options, collector: server.url });
    second.capture({ inputs: { i: 300 } });
    expect(await second.flush()).toBe("sent");
    expect(await second.close()).toMatchObject({ captured: 1, recovered: 300, stored: 301, spooled: 0 });
    expect(readdirSync(join(spoolDir, "spooled"))).toEqual([]);
    await stored("select count(*), count(distinct in_i) from spooled", [[301, 301]]);
  });

  it("goes on without a spool folder that cannot be used, and says so", async () => {
    const file = join(folder.path, "file");
    mkdirSync(folder.path, { recursive: true });
    writeFileSync(file, "");
    const told: string[] = [];
    const log = (_: string, message: string) => told.push(message);
    const client = new CaptureClient({ collector: server.url, model: "nospool", spoolDir: file, log });
    client.capture({ inputs: { a: 1 } });
    expect(await client.close()).toMatchObject({ stored: 1 });
    expect(told).toEqual([expect.stringMatching(/spool folder cannot be used/)]);
  });

  it("sends what compresses as no honest body does as it is: it would be refused, and others with it", async () => {
    const client = new CaptureClient({ collector: server.url, model: "dense" });
    client.capture({ id: "beside", inputs: { x: 1 } });
    client.capture({ id: "dense", inputs: { image: Array.from({ length: 1_000_000 }, () => 0) } });
    expect(await client.close()).toMatchObject({ captured: 2, stored: 2, rejected: 0 });
  });

  it("says what Leeway will not take", async () => {
    const told: unknown[] = [];
    const log = (_: string, message: string, fields?: object) => told.push([message, fields]);
    const client = new CaptureClient({ collector: server.url, model: "picky", log });
    client.capture({ inputs: { a: 1 } });
    client.capture({ inputs: { a: 1 }, latency_ms: -1 });
    expect(await client.close()).toMatchObject({ stored: 1, rejected: 1 });
    expect(told).toEqual([
      ["the collector rejected records", { records: 1, why: expect.stringMatching(/latency_ms/) }],
    ]);
  });
});
