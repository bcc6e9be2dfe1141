import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { startService } from "./test-service.ts";

/** The router takes this spelling; the way around it knows only the usual ones. */
const SPELT_OTHERWISE = {
  "application/json": "Application/JSON",
  "application/x-ndjson": "application/ndjson",
};

const good = JSON.stringify({ id: "a", inputs: { x: 1 } });
const long = JSON.stringify({ id: "a", inputs: { x: "é".repeat(900_000) } });

interface Case {
  readonly what: string;
  readonly path?: string;
  readonly type?: keyof typeof SPELT_OTHERWISE;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
}

const CASES: readonly Case[] = [
  { what: "a record", body: good, status: 202 },
  { what: "a list with a bad record", body: `[${good},{"id":"b"},3]`, status: 202 },
  { what: "lines", type: "application/x-ndjson", body: `${good}\n{bad}\n`, status: 202 },
  { what: "a compressed body", body: gzipSync(good), headers: { "content-encoding": "gzip" }, status: 202 },
  {
    what: "records without ids, with a key",
    body: '[{"inputs":{"x":1}}]',
    headers: { "idempotency-key": "k" },
    status: 202,
  },
  { what: "labels", path: "/v1/models/m/labels", body: '[{"id":"a","label":1}]', status: 202 },
  { what: "no JSON", body: "{", status: 400 },
  { what: "an empty body", body: "", status: 400 },
  {
    what: "half a compressed body",
    body: gzipSync(good).subarray(0, 20),
    headers: { "content-encoding": "gzip" },
    status: 400,
  },
  { what: "an unknown encoding", body: good, headers: { "content-encoding": "br" }, status: 415 },
  { what: "a body that is too long", body: long, status: 413 },
  { what: "a name with a blank", path: "/v1/models/a%20b/records", body: good, status: 400 },
  {
    what: "a page of another site",
    body: good,
    headers: { origin: "http://elsewhere.example" },
    status: 403,
  },
  { what: "no such call", path: "/v1/models/m/recordings", body: good, status: 404 },
];

it("answers records and labels past the router as the router does", async () => {
  const settings = { max_body_bytes: 1_000_000 };
  const now = new Date("2026-05-01T12:00:00Z");
  const [past, through] = [await startService({ now, settings }), await startService({ now, settings })];
  for (const {
    what,
    path = "/v1/models/m/records",
    type = "application/json",
    body,
    headers,
    status,
  } of CASES) {
    const ask = async (url: string, spelling: string) => {
      const answer = await fetch(`${url}${path}`, {
        method: "POST",
        headers: { "content-type": spelling, "x-request-id": "the-request", ...headers },
        body,
      });
      const { date: _, connection: _c, "keep-alive": _k, ...heads } = Object.fromEntries(answer.headers);
      return { status: answer.status, heads, body: await answer.json() };
    };
    const direct = await ask(past.server().url, type);
    expect(direct, what).toEqual(await ask(through.server().url, SPELT_OTHERWISE[type]));
    expect(direct.status, what).toBe(status);
    expect(direct.heads["x-request-id"], what).toBe("the-request");
  }
});

it("asks for a key as the router does", async () => {
  const service = await startService({
    now: new Date("2026-05-01T12:00:00Z"),
    settings: { api_keys: [{ name: "reader", role: "viewer", key: "0123456789abcdef0123456789abcdef" }] },
  });
  const ask = async (authorization: string | undefined, type: string) => {
    const answer = await fetch(`${service.server().url}/v1/models/m/records`, {
      method: "POST",
      headers: { "content-type": type, ...(authorization ? { authorization } : {}) },
      body: good,
    });
    const { detail } = (await answer.json()) as { readonly detail: string };
    return [answer.status, detail];
  };
  for (const authorization of [undefined, "Bearer nobody", "Bearer 0123456789abcdef0123456789abcdef"]) {
    const direct = await ask(authorization, "application/json");
    expect(direct).toEqual(await ask(authorization, "Application/JSON"));
    expect([401, 403]).toContain(direct[0]);
  }
});

const post = async (url: string, path: string, body: string) => {
  const answer = await fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};
const recordOf = (id: string) => JSON.stringify({ id, inputs: { x: 1 } });

it("takes what comes in together each by itself, and counts all of it", async () => {
  const service = await startService({ now: new Date("2026-05-01T12:00:00Z") });
  const { url } = service.server();
  const ids = Array.from({ length: 40 }, (_, i) => `r${i % 30}`); // ten of them twice
  const answers = await Promise.all([
    ...ids.map((id) => post(url, "/v1/models/a/records", recordOf(id))),
    ...ids.slice(0, 5).map((id) => post(url, "/v1/models/b/records", recordOf(id))),
    ...ids.slice(0, 5).map((id) => post(url, "/v1/models/a/labels", JSON.stringify([{ id, label: 1 }]))),
    post(url, "/v1/models/a/records", '{"id": "broken'),
    post(url, "/v1/models/a/records", `[${recordOf("r40")},{"id":"bad"}]`),
  ]);
  const broken = answers.at(-2);
  expect(broken).toMatchObject({ status: 400, body: { code: "invalid-input" } });
  expect(answers.filter(({ status }) => status === 202)).toHaveLength(answers.length - 1);
  expect(answers.at(-1)?.body).toMatchObject({ received: 2, stored: 1, rejected: 1 });
  const sum = (outcome: string) =>
    answers.slice(0, 40).reduce((total, { body }) => total + Number(body[outcome]), 0);
  expect([sum("stored"), sum("duplicates")]).toEqual([30, 10]);
  const metrics = await service.text("/metrics");
  for (const line of [
    'leeway_records_total{model="a",outcome="stored"} 31',
    'leeway_records_total{model="a",outcome="duplicate"} 10',
    'leeway_records_total{model="a",outcome="rejected"} 1',
    'leeway_records_total{model="b",outcome="stored"} 5',
    'leeway_labels_total{model="a",outcome="stored"} 5',
  ])
    expect(metrics).toContain(line);
});

it("acknowledges none of those that came in together when the disk refuses, and takes each of them again", async () => {
  const service = await startService({ now: new Date("2026-05-01T12:00:00Z") });
  const { url } = service.server();
  const journal = join(service.dataDir, "journal");
  rmSync(journal, { recursive: true });
  writeFileSync(journal, "no folder");
  const sendAll = () =>
    Promise.all(Array.from({ length: 20 }, (_, i) => post(url, "/v1/models/a/records", recordOf(`r${i}`))));
  for (const { status, body } of await sendAll()) {
    expect(status).toBe(503);
    expect(body.detail).toMatch(/nothing can be written to .*journal/);
  }
  rmSync(journal);
  for (const { status, body } of await sendAll())
    expect({ status, ...body }).toMatchObject({ status: 202, stored: 1, duplicates: 0 });
});

it("goes on when a body breaks off", async () => {
  const service = await startService({ now: new Date("2026-05-01T12:00:00Z") });
  const { url } = service.server();
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  await once(socket, "connect");
  const head =
    "POST /v1/models/a/records HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90\r\n";
  socket.write(`${head}\r\n{"id":`);
  await new Promise((resolve) => setTimeout(resolve, 20));
  socket.destroy();
  expect(await post(url, "/v1/models/a/records", recordOf("a"))).toMatchObject({ status: 202 });
});

it("takes many at once though it is more than one turn's", async () => {
  const service = await startService({ now: new Date("2026-05-01T12:00:00Z") });
  const { url } = service.server();
  const text = "x".repeat(60_000);
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      post(url, "/v1/models/a/records", JSON.stringify({ id: `r${i}`, inputs: { text } })),
    ),
  );
  expect(answers.map(({ body }) => body.stored)).toEqual(answers.map(() => 1));
});
