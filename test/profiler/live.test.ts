import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { Clock } from "../../profiler/clock.ts";
import { FileTree } from "../../profiler/file-tree.ts";
import type { OpenWindowOrder } from "../../profiler/generator/messages.ts";
import { decodeHistogram, percentileMs } from "../../profiler/latency-histogram.ts";
import { chooseLimiter } from "../../profiler/limiters/choose-limiter.ts";
import type { LimiterKind } from "../../profiler/limiters/limiter.ts";
import { LoadGenerator } from "../../profiler/load-generator.ts";
import { processTree } from "../../profiler/meters/processes.ts";
import { startCommand } from "../../profiler/targets/start-command.ts";

const MIB = 1024 * 1024;
const tree = new FileTree();
const pause = (ms: number) => sleep(ms);
const clock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  pause: async (ms) => void (await sleep(ms)),
};
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

const DOUBLE_FORK = 'node -e "setTimeout(() => {}, 60000)" & exec ';
const serve = (body: string) =>
  `node -e 'require("http").createServer((q, r) => { ${body} }).listen(process.env.PORT, "127.0.0.1")'`;

/** Starts a command in a cage of the kind; undefined when this machine has no such limiter. */
async function caged(kind: LimiterKind, command: string, limits: { cpu?: number; memoryBytes?: number }) {
  const { limiter, passedOver } = await chooseLimiter(tree, pause, kind);
  if (limiter.kind !== kind) return { skipped: passedOver[0]?.why ?? "" };
  const cage = await limiter.open(`leeway-${process.pid}-${Math.round(performance.now())}`);
  cleanUp.push(() => cage.destroy());
  await cage.set(limits);
  const service = await startCommand(
    { command, readyTimeoutMs: 30_000 },
    {
      wrap: (words) => cage.wrap(words),
      env: process.env,
      tree,
      clock,
      signal: new AbortController().signal,
    },
  );
  cleanUp.push(() => service.stop());
  return { cage, service, meter: cage.meter(service.pid) };
}

describe("a command", () => {
  const start = (command: string, more: { port?: number; ready?: string } = {}) =>
    startCommand(
      { command, readyTimeoutMs: 15_000, ...more },
      { wrap: (words) => words, env: process.env, tree, clock, signal: new AbortController().signal },
    );

  it("is ready when it says so, and its whole tree is gone after the end", async () => {
    const service = await start(
      `${DOUBLE_FORK}${serve('r.statusCode = q.url === "/ready" ? 200 : 500; r.end("x")')}`,
      {
        ready: "/ready",
      },
    );
    const members = processTree(tree, service.pid).map(({ pid }) => pid);
    expect(members.length).toBeGreaterThanOrEqual(2);
    expect(service.death()).toBeUndefined();
    await service.stop();
    expect(
      members.filter((pid) => existsSync(`/proc/${pid}/fd`) && readdirSync(`/proc/${pid}/fd`).length > 0),
    ).toEqual([]);
  });

  it("that ends at once is told with its last words", async () => {
    await expect(start("echo no model here >&2; exit 7")).rejects.toThrow(
      /code 7 before it was ready.*\n.*no model here/,
    );
  });

  it("is refused a port that somebody else listens on", async () => {
    const other = await listen((_, response) => response.end());
    await expect(start("sleep 5", { port: other.port })).rejects.toThrow(/listens on port \d+ already/);
  });
});

describe.each(["cgroup-v2", "cgroup-v1"] as const)("limits by %s", (kind) => {
  const BUSY =
    'const until = process.cpuUsage().user + 60000; while (process.cpuUsage().user < until); r.end("x")';

  it("keep a busy service to its part of a core, and count what it used", async ({ skip }) => {
    const { service, meter, skipped } = await caged(kind, serve(BUSY), { cpu: 0.4 });
    if (!service || !meter) return skip(`this machine cannot limit by ${kind}: ${skipped}`);
    const before = meter.read();
    const began = performance.now();
    for (let i = 0; i < 4; i += 1) await (await fetch(service.origin)).text();
    const seconds = (performance.now() - began) / 1_000;
    const after = meter.read();
    const used = after.cpuSeconds - before.cpuSeconds;
    expect(used).toBeGreaterThan(0.24 * 0.9); // four times 60 ms
    expect(used / seconds).toBeLessThan(0.7);
    expect(
      (after.throttling?.throttledPeriods ?? 0) - (before.throttling?.throttledPeriods ?? 0),
    ).toBeGreaterThan(0);
    expect(after.heldBytes).toBeGreaterThan(5 * MIB);
    expect(after.threads).toBeGreaterThan(1);
  });

  it("end a service that takes more memory than it may, and say so", async ({ skip }) => {
    const { service, meter, skipped } = await caged(
      kind,
      serve('globalThis.kept = Buffer.alloc(200 * 1048576, 1); r.end("x")'),
      { memoryBytes: 128 * MIB },
    );
    if (!service || !meter) return skip(`this machine cannot limit by ${kind}: ${skipped}`);
    await expect(fetch(service.origin)).rejects.toThrow();
    expect(meter.read().oomKills).toBeGreaterThan(0);
    await expect.poll(() => service.death()).toMatch(/SIGKILL|137/);
  });

  it("are gone with everything inside them", async ({ skip }) => {
    const { cage, service, skipped } = await caged(kind, `${DOUBLE_FORK}${serve('r.end("x")')}`, { cpu: 1 });
    if (!cage || !service) return skip(`this machine cannot limit by ${kind}: ${skipped}`);
    const files = cage.wrap([]).filter((word) => word.endsWith("cgroup.procs"));
    expect(files.length).toBeGreaterThan(0);
    expect(files.every((file) => existsSync(file))).toBe(true);
    await cage.destroy(); // without asking the service first
    expect(files.filter((file) => existsSync(file))).toEqual([]);
  });
});

it.for(["cgroup-v2", "cgroup-v1"] as const)(
  "what a profiler that was killed outright left in %s goes with the next",
  async (kind, { skip }) => {
    const { limiter } = await chooseLimiter(tree, pause, kind);
    if (limiter.kind !== kind) return skip(`this machine cannot limit by ${kind}`);
    const open = async (name: string) => {
      const cage = await limiter.open(name);
      cleanUp.push(() => cage.destroy());
      return cage.wrap([]).filter((word) => word.endsWith("cgroup.procs"));
    };
    const gone = spawnSync("true").pid;
    const left = (await open(`leeway-${process.pid}-before`)).map((file) =>
      file.replace(`leeway-${process.pid}-before`, `leeway-${gone}-1`),
    );
    for (const file of left) mkdirSync(dirname(file));
    const service = spawn("sleep", ["60"]);
    cleanUp.push(() => service.kill("SIGKILL"));
    for (const file of left) writeFileSync(file, String(service.pid));
    await open(`leeway-${process.pid}-after`);
    expect(left.filter((file) => existsSync(file))).toEqual([]);
    await expect.poll(() => service.signalCode).toBe("SIGKILL");
  },
);

describe("limits by taskset", () => {
  it("keep a service and its threads to one processor", async ({ skip }) => {
    const { cage, service, skipped } = await caged("taskset", serve('r.end("x")'), { cpu: 1 });
    if (!cage || !service) return skip(`no taskset: ${skipped}`);
    const status = tree.read(`proc/${service.pid}/status`) ?? "";
    expect(/Cpus_allowed_list:\s*\d+\n/.test(status)).toBe(true);
  });
});

async function listen(
  answer: (
    request: import("node:http").IncomingMessage,
    response: import("node:http").ServerResponse,
  ) => void,
): Promise<{ readonly origin: string; readonly port: number; readonly server: Server }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  cleanUp.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, port, server };
}

describe("the load generator", () => {
  const window: OpenWindowOrder = {
    kind: "open",
    rate: 100,
    arrivals: "constant",
    seed: 1,
    durationMs: 1_500,
    most: 1e6,
  };
  async function generator(origin: string, bound = { requests: 10_000, ms: 60_000 }, timeoutMs = 3_000) {
    const load = await LoadGenerator.start(bound);
    cleanUp.push(() => load.close());
    load.aim({
      origin,
      method: "POST",
      path: "/",
      headers: {},
      payloads: [Buffer.from("a"), Buffer.from("b")],
      success: { statuses: [[200, 299]] },
      timeoutMs,
      connections: 64,
    });
    return load;
  }

  it("sends every request once, bodies in turn, and never reads a service as quicker than it is", async () => {
    const bodies: string[] = [];
    const { origin } = await listen((request, response) => {
      request.on("data", (part) => bodies.push(String(part)));
      setTimeout(() => response.end("{}"), 20);
    });
    const result = await (await generator(origin)).run(window);
    expect([result.due, result.ok, result.failed, result.timedOut]).toEqual([150, 150, 0, 0]);
    expect(bodies.filter((body) => body === "a")).toHaveLength(75);
    const latency = decodeHistogram(result.latency);
    expect(latency.totalCount).toBe(150);
    expect(percentileMs(latency, 1)).toBeGreaterThanOrEqual(19); // timers may come a little early
    expect(percentileMs(decodeHistogram(result.service), 50)).toBeLessThanOrEqual(
      percentileMs(latency, 50) + 0.1,
    );
  });

  it("shows a stall of one second in p99, where callers that wait see it once", async () => {
    let began: number | undefined; // with the first request, however long the generator takes to start
    const { origin } = await listen((_, response) => {
      began ??= performance.now();
      const at = performance.now() - began;
      const untilStallEnds = at > 800 && at < 1_800 ? 1_800 - at : 0;
      setTimeout(() => response.end("{}"), untilStallEnds);
    });
    const load = await generator(origin);
    const result = await load.run({ ...window, durationMs: 3_000 });
    expect(percentileMs(decodeHistogram(result.latency), 99)).toBeGreaterThan(700);
    expect(result.mostInFlight).toBeGreaterThan(50);
  });

  it("counts refused connections, bad answers and time-outs, each with the whole time-out as latency", async () => {
    let calls = 0;
    const { origin } = await listen((_, response) => {
      calls += 1;
      if (calls % 3 === 0) response.writeHead(500).end();
      else if (calls % 3 === 1) response.end("{}");
    });
    const result = await (await generator(origin, undefined, 300)).run({ ...window, durationMs: 300 });
    expect([result.ok, result.failed, result.timedOut]).toEqual([10, 10, 10]);
    expect(result.outcomes).toEqual({ "200": 10, "500": 10, "timed out": 10 });
    expect(percentileMs(decodeHistogram(result.latency), 50)).toBeGreaterThanOrEqual(290);
    const nobody = await (await generator("http://127.0.0.1:9")).run({ ...window, durationMs: 100 });
    expect(nobody).toMatchObject({ ok: 0, failed: 10, outcomes: { ECONNREFUSED: 10 } });
  });

  it("never sends more than its bound, in one window or in all", async () => {
    let calls = 0;
    const { origin } = await listen((_, response) => {
      calls += 1;
      response.end("{}");
    });
    const load = await generator(origin, { requests: 25, ms: 60_000 });
    expect((await load.run({ ...window, most: 10 })).due).toBe(10);
    const closed = { kind: "closed", concurrency: 4, durationMs: 3_000, most: 1e6 } as const;
    expect((await load.run(closed)).due).toBe(15);
    await expect(load.run(window)).rejects.toThrow(/bound of 25 requests.*--max-requests/);
    expect(calls).toBe(25);
  });

  it("never loads longer than its bound, in one window or in all", async () => {
    const { origin } = await listen((_, response) => response.end("{}"));
    const load = await generator(origin, { requests: 1e6, ms: 300 });
    let due = 0;
    const forEver = async () => {
      for (;;) due += (await load.run(window)).due;
    };
    await expect(forEver()).rejects.toThrow(/0 s of load is used up/);
    expect(due).toBeGreaterThanOrEqual(30);
    expect(due).toBeLessThan(45); // a window that has a millisecond left sends one
  });

  it("ends a window as soon as the objective is out of reach", async () => {
    const { origin } = await listen((_, response) => void setTimeout(() => response.end("{}"), 300));
    const load = await generator(origin);
    const result = await load.run({ ...window, durationMs: 30_000, hopeless: { slowMs: 50, mostSlow: 5 } });
    expect(result.end).toBe("hopeless");
    expect(result.due).toBeLessThan(1_000);
  });

  it("stops in the middle of a window when told to, and sends nothing after that", async () => {
    let calls = 0;
    const { origin } = await listen((_, response) => {
      calls += 1;
      response.end("{}");
    });
    const load = await generator(origin);
    const stopping = new AbortController();
    const running = load.run({ ...window, durationMs: 30_000 }, stopping.signal);
    await expect.poll(() => calls).toBeGreaterThan(5);
    stopping.abort(new Error("stop"));
    await expect(running).rejects.toThrow("stop");
    const after = calls;
    await sleep(200);
    expect(calls).toBe(after);
  });

  it("keeps callers waiting in a closed loop, by autocannon", async () => {
    let [under, most] = [0, 0];
    const { origin } = await listen((_, response) => {
      under += 1;
      most = Math.max(most, under);
      setTimeout(() => {
        under -= 1;
        response.end("{}");
      }, 5);
    });
    const load = await generator(origin);
    const result = await load.run({ kind: "closed", concurrency: 3, durationMs: 1_000, most: 1e6 });
    expect(most).toBe(3);
    expect(result.ok).toBeGreaterThan(20);
    expect(result.failed + result.timedOut).toBe(0);
  });
});
