import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SidecarOptions } from "../../../collector/sidecar/options.ts";
import { isSampled } from "../../../collector/sidecar/sampling.ts";
import { collector, metric, proxyBefore, service, sidecarBefore, temporaryFolder, until } from "./here.ts";

/** Answers with the sum of what it is asked, or as the path says. */
async function scorer(): Promise<string> {
  return service((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const status = Number(/\/fail\/(\d+)/.exec(request.url ?? "")?.[1] ?? 200);
      response.writeHead(status, { "content-type": "application/json" });
      if (status !== 200) return response.end('{"error":"no"}');
      if (request.url?.includes("/v2/")) return response.end(INFERRED);
      return response.end('{"score":0.5,"reason":"because it is so"}');
    });
  });
}

const INFERRED = JSON.stringify({
  model_name: "churn",
  model_version: "7",
  outputs: [{ name: "score", datatype: "FP64", shape: [2], data: [0.25, 0.75] }],
});
const INFER = { inputs: [{ name: "age", datatype: "FP64", shape: [2], data: [31, 44] }] };

const score = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

describe("what is recorded of a call", () => {
  it("is a row per instance with inputs, outputs, status, time taken and version", async () => {
    const { url, records, requests } = await collector();
    const sidecar = await sidecarBefore(await scorer(), { collector: url, apiKey: "key-of-the-sidecar" });
    const plain = await score(
      `${sidecar.url}/score`,
      { age: 31, city: "Köln" },
      { "x-request-id": "plain-1" },
    );
    const named = await score(`${sidecar.url}/v2/models/churn/infer`, { id: "v2-1", ...INFER });
    const given = await score(`${sidecar.url}/score`, { age: 5 });
    const failed = await score(`${sidecar.url}/fail/503`, { age: 6 }, { "x-request-id": "failed-1" });
    await until(() => records.size === 5);
    const givenId = given.headers.get("x-leeway-record-id");
    expect(plain.headers.get("x-leeway-record-id")).toBe("plain-1");
    const failedId = failed.headers.get("x-leeway-record-id");
    expect(failedId).toMatch(/^failed-1#[0-9a-f]{8}$/);
    expect(named.headers.get("x-leeway-record-id")).toBeNull(); // its own is in its body
    expect(records.get("plain-1:0")).toMatchObject({
      inputs: { age: 31, city: "Köln" },
      outputs: { score: 0.5, reason: "because it is so" },
      status: 200,
    });
    expect(records.get("plain-1:0")?.latency_ms).toBeGreaterThan(0);
    expect([records.get("v2-1:0"), records.get("v2-1:1")]).toMatchObject([
      { row: 0, version: "7", inputs: { age: 31 }, outputs: { score: 0.25 } },
      { row: 1, version: "7", inputs: { age: 44 }, outputs: { score: 0.75 } },
    ]);
    expect(records.get(`${givenId}:0`)).toMatchObject({ inputs: { age: 5 } });
    expect(records.get(`${failedId}:0`)).toMatchObject({ inputs: { age: 6 }, outputs: {}, status: 503 });
    expect(requests[0]).toBe("POST /v1/models/churn/records Bearer key-of-the-sidecar");
    expect(sidecar.log.join()).not.toContain("key-of-the-sidecar");
  });

  it("is one record per failed attempt, and the id is left for the one that went well", async () => {
    const { url, records } = await collector();
    const sidecar = await sidecarBefore(await scorer(), { collector: url });
    const id = { "x-request-id": "again" };
    for (const path of ["/fail/503", "/fail/429", "/score"]) await score(sidecar.url + path, { age: 1 }, id);
    for (const path of ["/v2/models/churn/infer?/fail/500", "/v2/models/churn/infer"])
      await score(sidecar.url + path, { id: "v2-again", ...INFER });
    await until(() => records.has("again:0") && records.has("v2-again:0"));
    expect(records.get("again:0")).toMatchObject({ status: 200, outputs: { score: 0.5 } });
    expect(records.get("v2-again:1")).toMatchObject({ status: 200, outputs: { score: 0.75 } });
    const failed = [...records.values()].filter(({ id: each }) => each.includes("#"));
    expect(failed.map(({ status, row }) => [status, row])).toEqual([
      [503, 0],
      [429, 0],
      [500, 0],
      [500, 1],
    ]);
    expect(new Set(failed.map(({ id: each }) => each)).size).toBe(3);
  });

  it.each([
    { way: "quickly", redactions: [] },
    { way: "with something to redact", redactions: [{ name: "plan", how: "drop" }] as const },
  ])(
    "has the names it was told for lists of numbers that come without, read $way",
    async ({ redactions }) => {
      const { url, records } = await collector();
      const upstream = await service((request, response) => {
        request.resume().on("end", () => {
          response.writeHead(200, { "content-type": "application/json" });
          response.end('{"predictions":[[0.25,0.75]]}');
        });
      });
      const sidecar = await sidecarBefore(upstream, {
        collector: url,
        featureNames: ["age", "__proto__"],
        outputNames: ["stays", "leaves"],
        redactions,
      });
      const at = `${sidecar.url}/v1/models/churn:predict`;
      for (const [id, row] of Object.entries({ a: [31, 2.5], b: [44, 1.25], c: [1, 2, 3] }))
        await score(at, { instances: [row] }, { "x-request-id": id });
      await until(() => records.size === 3);
      const outputs = { stays: 0.25, leaves: 0.75 };
      const inputs = ["a", "b", "c"].map((id) => Object.entries(records.get(`${id}:0`)?.inputs ?? {}));
      expect(inputs).toEqual([
        Object.entries({ age: 31, ["__proto__"]: 2.5 }),
        Object.entries({ age: 44, ["__proto__"]: 1.25 }),
        Object.entries({ input_0: 1, input_1: 2, input_2: 3 }), // which of them is which cannot be told
      ]);
      for (const id of ["a", "b", "c"]) expect(records.get(`${id}:0`)?.outputs).toEqual(outputs);
    },
  );

  it("holds nothing of what is redacted", async () => {
    const { url, records } = await collector();
    const sidecar = await sidecarBefore(await scorer(), {
      collector: url,
      redactKey: "secret key",
      redactions: [
        { name: "name", how: "drop" },
        { name: "email", how: "hash" },
        { name: "reason", how: "truncate", length: 7 },
      ],
      version: "2",
      deployment: "eu",
    });
    for (const id of ["a", "b"])
      await score(sidecar.url, { name: "Jo", email: "jo@x.org", age: 3 }, { "x-request-id": id });
    await until(() => records.size === 2);
    const [a, b] = [records.get("a:0"), records.get("b:0")];
    expect(a).toMatchObject({ version: "2", deployment: "eu", outputs: { score: 0.5, reason: "because" } });
    expect(Object.keys(a?.inputs ?? {})).toEqual(["email", "age"]);
    expect(a?.inputs.email).toMatch(/^[0-9a-f]{32}$/);
    expect(b?.inputs.email).toBe(a?.inputs.email);
    expect(JSON.stringify(a)).not.toMatch(/Jo|jo@x/);
  });

  it("carries the weight that makes up for those left out; what failed stands for itself", async () => {
    const { url, records } = await collector();
    const sidecar = await sidecarBefore(await scorer(), { collector: url, sample: 0.25 });
    const wanted = Array.from({ length: 40 }, (_, i) => `call-${i}`).filter((id) => isSampled(id, 0.25));
    for (let i = 0; i < 40; i += 1) await score(sidecar.url, { age: i }, { "x-request-id": `call-${i}` });
    for (let i = 0; i < 40; i += 1)
      await score(`${sidecar.url}/v2/models/churn/infer`, { id: `call-${i}-v2`, ...INFER });
    await score(`${sidecar.url}/fail/500`, { age: 1 }, { "x-request-id": "failed" });
    const isFailed = (id: string) => /^failed#[0-9a-f]{8}$/.test(id);
    await until(() => [...records.values()].some(({ id }) => isFailed(id)));
    const inBody = Array.from({ length: 40 }, (_, i) => `call-${i}-v2`).filter((id) => isSampled(id, 0.25));
    const kept = [...records.values()].filter(({ row }) => row === 0);
    const ids = kept.map(({ id }) => (isFailed(id) ? "failed" : id));
    expect(ids).toEqual([...wanted, ...inBody, "failed"]);
    expect(kept.map(({ weight = 1 }) => weight)).toEqual([...kept.slice(1).map(() => 4), 1]);
  });

  it("is nothing when no format fits, which is counted and told", async () => {
    const { url, records } = await collector();
    const sidecar = await sidecarBefore(await scorer(), { collector: url, bodyBytes: 1_000 });
    await fetch(`${sidecar.url}/predict?token=se-cret`, {
      method: "POST",
      body: "no json at all",
      headers: { "content-type": "application/json" },
    });
    await score(sidecar.url, { text: "x".repeat(1_000) });
    await score(sidecar.url, { age: 1 }, { "x-request-id": "good" });
    await until(() => records.size === 1);
    expect(await metric(sidecar, 'undecoded_requests_total{reason="format"}')).toBe(1);
    expect(await metric(sidecar, 'undecoded_requests_total{reason="too_long"}')).toBe(1);
    expect(sidecar.log.join("\n")).toMatch(/warn a call is not recorded .*\/predict".*not JSON/);
    expect(sidecar.log.join("\n")).not.toContain("se-cret");
  });
});

describe("which calls are recorded", () => {
  const calls = async (options: Partial<SidecarOptions>, paths: readonly string[]) => {
    const proxy = await proxyBefore(await scorer(), options);
    for (const [i, path] of paths.entries())
      await score(proxy.url + path, { age: i }, { "x-request-id": `call-${i}` });
    return proxy.calls.map(({ path }) => path);
  };

  it.each([
    [{}, ["/a", "/b?x=1", "/a/b"]],
    [{ onlyPaths: ["/a*"] }, ["/a", "/a/b"]],
    [{ skipPaths: ["/a"] }, ["/b?x=1", "/a/b"]],
    [{ onlyPaths: ["/*"], skipPaths: ["*/b"] }, ["/a"]],
  ])("with %j: %j", async (options, recorded) => {
    expect(await calls(options, ["/a", "/b?x=1", "/a/b"])).toEqual(recorded);
  });

  it("is a share by the id, and all that failed", async () => {
    const paths = Array.from({ length: 300 }, (_, i) => (i % 10 === 0 ? `/fail/500?${i}` : `/s?${i}`));
    const [once, again] = [await calls({ sample: 0.2 }, paths), await calls({ sample: 0.2 }, paths)];
    expect(again).toEqual(once);
    expect(once.filter((path) => path.startsWith("/fail"))).toHaveLength(30);
    const share = once.filter((path) => path.startsWith("/s")).length / 270;
    expect(share).toBeGreaterThan(0.1);
    expect(share).toBeLessThan(0.3);
    const more = await calls({ sample: 0.5 }, paths);
    expect(more).toEqual(expect.arrayContaining(once)); // a larger share holds the smaller one
  });

  it("is none that only asks, and none of a probe", async () => {
    const proxy = await proxyBefore(await scorer());
    await fetch(`${proxy.url}/v2/health/ready`);
    await score(proxy.url, {}, { "user-agent": "kube-probe/1.31" });
    expect(proxy.calls).toEqual([]);
    expect(proxy.counters.get("requests_2xx")).toBe(2);
  });

  it("is dropped and counted when memory is full, and the call goes on", async () => {
    const proxy = await proxyBefore(await scorer(), { memoryBytes: 20_000 });
    const answers = [];
    for (let i = 0; i < 10; i += 1)
      answers.push((await score(proxy.url, { text: "x".repeat(3_000) })).status);
    expect(answers).toEqual(Array(10).fill(200));
    expect(proxy.calls.length).toBe(2); // nobody gives memory back here
    expect(proxy.counters.get("dropped_requests_memory")).toBe(8);
  });
});

describe("a collector that does not take records", () => {
  it("gets all of them once, when it does again, from disk", async () => {
    let status = 503;
    const { url, records } = await collector(() => ({ status, headers: { "retry-after": "0" } }));
    const spoolDir = temporaryFolder();
    const sidecar = await sidecarBefore(await scorer(), { collector: url, spoolDir });
    for (let i = 0; i < 20; i += 1) await score(sidecar.url, { age: i }, { "x-request-id": `call-${i}` });
    await until(async () => (await metric(sidecar, "spooled_records")) === 20);
    expect(readdirSync(join(spoolDir, "churn")).length).toBeGreaterThan(0);
    expect(await metric(sidecar, "lag_seconds")).toBeGreaterThan(0);
    status = 202;
    await until(() => records.size === 20);
    await until(async () => (await metric(sidecar, "spooled_records")) === 0);
    expect(readdirSync(join(spoolDir, "churn"))).toEqual([]);
    expect(await metric(sidecar, 'sent_records_total{outcome="stored"}')).toBe(20);
    expect(sidecar.log.join("\n")).toMatch(
      /the collector does not take records[\s\S]*the collector answers again/,
    );
  });

  it("gets what an earlier process left, and what it has already is a duplicate", async () => {
    const spoolDir = temporaryFolder();
    const upstream = await scorer();
    const first = await sidecarBefore(upstream, { spoolDir, drainMs: 2_000 });
    for (let i = 0; i < 10; i += 1) await score(first.url, { age: i }, { "x-request-id": `call-${i}` });
    await first.close();
    expect(readdirSync(join(spoolDir, "churn")).length).toBeGreaterThan(0);
    const { url, records } = await collector();
    await score(url, { id: "call-3", row: 0 }); // it was sent, and the answer got lost
    const second = await sidecarBefore(upstream, { spoolDir, collector: url });
    await until(() => records.size === 10);
    await until(async () => (await metric(second, "spooled_records")) === 0);
    expect(await metric(second, "recovered_records_total")).toBe(10);
    expect(second.log.join()).toContain("an earlier process left records, which are sent first");
    expect(await metric(second, 'sent_records_total{outcome="duplicate"}')).toBe(1);
    expect(await metric(second, 'sent_records_total{outcome="stored"}')).toBe(9);
  });

  it("leads to counted drops when disk and memory are full, the newest first", async () => {
    let status = 503;
    const { url, records } = await collector(() => ({ status, headers: { "retry-after": "0" } }));
    const sidecar = await sidecarBefore(await scorer(), {
      collector: url,
      spoolDir: temporaryFolder(),
      spoolBytes: 1_000_000,
      memoryBytes: 2_000_000,
    });
    let sent = 0;
    const send = async () => {
      const text = Array.from({ length: 4_000 }, () => Math.random().toString(36)).join("");
      const { status: answered } = await score(sidecar.url, { text }, { "x-request-id": `call-${sent}` });
      expect(answered).toBe(200);
      sent += 1;
    };
    await until(async () => {
      await send();
      return (await metric(sidecar, 'dropped_records_total{reason="spool_full"}')) > 3;
    });
    const told = sidecar.log.filter((line) =>
      /records are dropped.*the spool has reached its limit/.test(line),
    );
    expect(told).toHaveLength(1);
    status = 202;
    await until(
      async () =>
        (await metric(sidecar, "spooled_records")) + (await metric(sidecar, "waiting_records")) === 0,
    );
    await until(async () => (await metric(sidecar, "gathering_records")) === 0);
    const dropped = await metric(sidecar, 'dropped_records_total{reason="spool_full"}');
    const unmade = await metric(sidecar, 'dropped_requests_total{reason="memory"}');
    await until(() => records.size === sent - dropped - unmade);
    expect(records.has("call-0:0")).toBe(true); // the oldest are dropped last
  });

  it("for good, of a batch that is at fault itself, does not hold up the others", async () => {
    let answers = 0;
    const { url, records } = await collector(() => ({ status: answers++ === 0 ? 400 : 202 }));
    const sidecar = await sidecarBefore(await scorer(), { collector: url, spoolDir: temporaryFolder() });
    await score(sidecar.url, { age: 1 }, { "x-request-id": "first" });
    await until(async () => (await metric(sidecar, 'sent_records_total{outcome="rejected"}')) === 1);
    await score(sidecar.url, { age: 2 }, { "x-request-id": "second" });
    await until(() => records.size === 1);
    expect([...records.keys()]).toEqual(["second:0"]);
    expect(sidecar.log.join()).toContain("the collector will not take a batch, which is lost");
  });
});

describe("the port for operators", () => {
  it("answers health and metrics, and nothing else", async () => {
    const { adminUrl } = await sidecarBefore(await scorer());
    const [health, ready, metrics, other, posted] = await Promise.all([
      fetch(`${adminUrl}/healthz`),
      fetch(`${adminUrl}/readyz`),
      fetch(`${adminUrl}/metrics`),
      fetch(`${adminUrl}/score`),
      fetch(`${adminUrl}/metrics`, { method: "POST" }),
    ]);
    expect([health, ready, metrics, other, posted].map(({ status }) => status)).toEqual([
      200, 200, 200, 404, 405,
    ]);
    const text = await metrics.text();
    const names = text.split("\n").flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
    expect(new Set(names).size).toBe(names.length);
    for (const line of text.trim().split("\n"))
      expect(line).toMatch(/^# (HELP|TYPE) \S+ .+$|^[a-z_]+(\{[a-z]+="[^"]+"\})? [\d.e+]+$/);
  });
});
