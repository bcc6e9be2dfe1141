import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Running,
  type RunningSidecar,
  startProgram,
  startServer,
  startSidecar,
} from "../../bench/sidecar-processes.ts";
import { makeFolder } from "./leeway.ts";

const CALLS = 1_000;
const AT_A_TIME = 12;
const TEN_MB = 10_000_000;

interface Ask {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: Buffer | undefined;
  readonly framing: "length" | "chunked";
}

interface Answer {
  readonly status: number | undefined;
  readonly message: string | undefined;
  readonly headers: readonly string[];
  readonly trailers: readonly string[];
  readonly body: string;
  readonly end: "whole" | "cut-off" | "none";
}

/** The same numbers every time: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function askOf(call: number): Ask {
  const random = randomFrom(call);
  const one = <T>(...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  const id = ["X-Request-Id", `call-${call}`, "host", "model.test"];
  const framing = one("length", "chunked");
  if (call % 2 === 0) {
    const rows = one(1, 1, 1, 3, 40);
    const instances = Array.from({ length: rows }, () => ({
      age: Math.floor(random() * 90),
      größe: random(),
    }));
    const zip = call % 10 === 4;
    const text = Buffer.from(JSON.stringify({ instances }));
    const plan = { score: zip ? 0 : 1, framing: one("length", "chunked", "close"), pieces: one(1, 2, 7) };
    return {
      method: "POST",
      path: "/v1/models/churn:predict",
      headers: [
        ...id,
        ...["x-plan", JSON.stringify(plan), "Content-Type", "application/json"],
        ...(zip ? ["Content-Encoding", "gzip"] : []),
      ],
      body: zip ? gzipSync(text) : text,
      framing,
    };
  }
  const long = call % 250 === 1;
  const method = long ? "POST" : one("GET", "HEAD", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
  const size = long ? TEN_MB : one(0, 1, 17, 1_000, 16_383, 70_000, 300_000);
  const plan = {
    status: one(200, 200, 201, 204, 302, 304, 400, 404, 413, 422, 429, 500, 503),
    size,
    pieces: one(1, 3, 50),
    framing: one("length", "chunked", "close"),
    type: one("application/json", "text/plain", "image/png"),
    headers: [
      ["Set-Cookie", "a=1; Path=/"],
      ["set-cookie", "b=2"],
      ["X-Odd-CASE", one("", "über", "a,b", "  inner  space  ".trim())],
    ],
    cut: !long && size >= 1_000 && call % 7 === 0 ? 1 : 0,
  };
  const bodyless = method === "GET" || method === "HEAD" || method === "OPTIONS";
  return {
    method,
    path: `/${one("score", "v2/models/m/infer", "a%20b/ü".replace("ü", "%C3%BC"), "x?q=1&q=2", "v2/health/ready")}`,
    headers: [
      ...id,
      ...["x-plan", JSON.stringify(plan).replaceAll("ü", "\\u00fc")],
      ...(bodyless ? [] : ["content-type", one("application/json", "application/octet-stream")]),
    ],
    body: bodyless ? undefined : Buffer.alloc(long ? TEN_MB : one(0, 3, 2_000, 66_000), `${call} `),
    framing,
  };
}

async function ask(
  url: string,
  agent: Agent,
  { method, path, headers, body, framing }: Ask,
): Promise<Answer> {
  const size = body && framing === "length" ? ["Content-Length", String(body.length)] : [];
  const coding = body && framing === "chunked" ? ["Transfer-Encoding", "chunked"] : [];
  const { hostname, port } = new URL(url);
  const sent = request({
    ...{ hostname, port, agent, method, path, setHost: false },
    headers: [...headers, ...size, ...coding] as unknown as Record<string, string>,
  });
  if (body) for (let at = 0; at < body.length; at += 100_000) sent.write(body.subarray(at, at + 100_000));
  sent.end();
  let answer: IncomingMessage;
  try {
    [answer] = (await once(sent, "response")) as [IncomingMessage];
  } catch {
    return { status: 0, message: "", headers: [], trailers: [], body: "", end: "none" };
  }
  const parts: Buffer[] = [];
  try {
    for await (const part of answer) parts.push(part as Buffer);
  } catch {
    // cut off, which `complete` says
  }
  return {
    status: answer.statusCode,
    message: answer.statusMessage,
    headers: endToEnd(answer.rawHeaders),
    trailers: answer.rawTrailers,
    body: Buffer.concat(parts).toString("latin1"),
    end: answer.complete ? "whole" : "cut-off",
  };
}

/** Without what is between two neighbours only. An answer that ends with its connection is chunked on a kept one. */
function endToEnd(raw: readonly string[]): string[] {
  const hop = ["connection", "keep-alive", "transfer-encoding"];
  return raw.flatMap((name, i) =>
    i % 2 === 0 && !hop.includes(name.toLowerCase()) ? [name, raw[i + 1] ?? ""] : [],
  );
}

const SERVICES = {
  Python: () => startProgram("python3", [join(import.meta.dirname, "sidecar-service.py")]),
  Node: () =>
    startProgram(process.execPath, [
      ...["--import", import.meta.resolve("tsx")],
      join(import.meta.dirname, "sidecar-service-child.ts"),
    ]),
};

describe.each(Object.entries(SERVICES))("a scoring service in %s behind the sidecar", (_, startService) => {
  const folder = makeFolder();
  let service: Running;
  let collector: Running;
  let sidecar: RunningSidecar;

  beforeAll(async () => {
    collector = await startServer(["--port", "0", "--data-dir", join(folder.path, "data")]);
    service = await startService();
    sidecar = await startSidecar([
      ...["--upstream", service.url, "--collector", collector.url, "--model", "churn"],
      ...["--spool-dir", join(folder.path, "spool"), "--answer-id-header", "none"],
    ]);
  });

  afterAll(async () => {
    await Promise.all([sidecar, service, collector].map((part) => part.stop()));
    folder.remove();
  });

  it(`answers ${CALLS} random calls as it does without, byte by byte, and each prediction is stored once`, async () => {
    const [direct, through] = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })];
    let next = 0;
    const ends = new Set<string>();
    const work = async () => {
      for (let call = next++; call < CALLS; call = next++) {
        const asked = askOf(call);
        const [without, withIt] = await Promise.all([
          ask(service.url, direct, asked),
          ask(sidecar.url, through, asked),
        ]);
        ends.add(`${without.end} ${without.status}`);
        const { body: theirs, ...rest } = without;
        const { body: ours, ...ourRest } = withIt;
        expect(ourRest, `call ${call}`).toEqual(rest);
        if (ours !== theirs)
          throw new Error(`call ${call}: another body, ${ours.length} of ${theirs.length} bytes`);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    direct.destroy();
    through.destroy();
    expect([...ends].some((end) => end.startsWith("cut-off"))).toBe(true);
    expect(ends.size).toBeGreaterThan(10);

    await sidecar.stop(); // which sends what it has
    const predictions = Array.from({ length: CALLS / 2 }, (_, i) => askOf(i * 2)).filter(
      ({ headers }) => !headers.includes("gzip"),
    );
    const wanted = predictions.map(({ headers, body }) => ({
      id: headers[1],
      rows: (JSON.parse(String(body)) as { instances: unknown[] }).instances.length,
    }));
    const sql =
      "select record_id, count(*) as rows, count(out_prediction) as outputs, min(status) as status from churn where out_prediction is not null group by 1";
    await until(async () => (await rowsOf(collector, sql)).length >= wanted.length);
    const stored = await rowsOf(collector, sql);
    expect(stored.length).toBe(wanted.length);
    const byId = new Map(stored.map(([id, rows, outputs, status]) => [id, { rows, outputs, status }]));
    for (const { id, rows } of wanted) expect(byId.get(id), id).toEqual({ rows, outputs: rows, status: 200 });
    const failed = await rowsOf(
      collector,
      "select status, count(*) as rows from churn where status >= 400 group by 1 order by 1",
    );
    expect(failed.map(([status]) => status)).toEqual([400, 404, 413, 422, 429, 500, 502, 503]);
  }, 120_000);
});

async function rowsOf({ url }: Running, sql: string): Promise<unknown[][]> {
  const answer = await fetch(`${url}/v1/query`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sql }),
  });
  const { rows, detail } = (await answer.json()) as { readonly rows?: unknown[][]; readonly detail?: string };
  if (!rows) throw new Error(`${sql}: ${detail}`);
  return rows;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 100));
}
