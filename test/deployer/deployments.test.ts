import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeploymentStatus } from "../../schema/deployment.ts";
import { type LeewayServer, startLeeway } from "../collector/leeway-server.ts";
import { startLoad } from "./constant-load.ts";
import { adding, failing, modelFolder, post } from "./replica-on.ts";

const folder = modelFolder();
let server: LeewayServer;
const asks = { inputs: [{ name: "x", shape: [1, 2], datatype: "FP32", data: [0, 1] }] };
const INFER = "/v2/models/sums/infer";

beforeAll(async () => {
  server = await startLeeway(join(folder.path, "data"));
  for (const bytes of [adding(1), adding(2), failing()]) {
    const form = new FormData();
    form.set("name", "sums");
    form.set("file", new Blob([bytes as Uint8Array<ArrayBuffer>]), "model.onnx");
    const response = await fetch(`${server.url}/v1/models`, { method: "POST", body: form });
    if (!response.ok) throw new Error(await response.text());
  }
});
afterAll(async () => {
  for (const { name } of (await call<{ deployments: DeploymentStatus[] }>("GET", "")).json.deployments)
    await call("DELETE", `/${name}`);
  await server.kill("SIGTERM");
  folder.remove();
});

async function call<T = DeploymentStatus>(method: string, path: string, body?: object) {
  const response = await fetch(`${server.url}/v1/deployments${path}`, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  return { status: response.status, json: (await response.json()) as T };
}

/** Files of records that wait for the server. */
function spooled(): number {
  const spool = join(folder.path, "data", "deployments", "kept", "spool");
  return readdirSync(spool, { recursive: true, encoding: "utf8" }).filter((name) => name.includes(".ndjson"))
    .length;
}

const serving = (...versions: (readonly [string, number])[]) => ({
  model: "sums",
  versions: versions.map(([version, weight]) => ({ version, weight })),
  capture: { enabled: false },
});

/** Waits for something that happens in another process. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not in 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("a deployment", () => {
  it("under load: upgrades, a canary, a promotion and a rollback without one failed call", async () => {
    const made = await call("PUT", "/live", serving(["1", 100]));
    expect(made.json).toMatchObject({
      name: "live",
      model: "sums",
      status: { state: "running", plan: 1, replicas: 1 },
    });
    const { url } = made.json.status;
    expect((await post(`${url}${INFER}`, asks)).json).toMatchObject({
      model_version: "1",
      outputs: [{ data: [1, 2] }],
    });

    const load = startLoad(url, INFER, asks, 8);
    await call("PUT", "/live", serving(["2", 100]));
    await call("PUT", "/live", { ...serving(["2", 80], ["1", 20]), replicas: 2 });
    const promoted = await call("POST", "/live/promote");
    expect(promoted.json.status.versions).toMatchObject([{ version: "1", weight: 100 }]);
    const back = await call("POST", "/live/rollback?why=complaints");
    expect(back.json.status.versions).toMatchObject([{ version: "2", weight: 100 }]);
    const report = await load.stop();

    expect(report.troubles).toEqual([]);
    expect(Object.keys(report.answers)).toEqual(["200"]);
    expect(Object.keys(report.versions).toSorted()).toEqual(["1", "2"]);
    expect(back.json.plans).toMatchObject([
      { number: 5, kind: "rollback", outcome: "live", why: "complaints", rolled_back_to: 2 },
      { number: 4, kind: "promotion", outcome: "replaced" },
      { number: 3, kind: "change", outcome: "replaced", replicas: 2 },
      { number: 2, kind: "change", outcome: "replaced" },
      { number: 1, kind: "start", outcome: "replaced" },
    ]);
  });

  it("that cannot serve a plan says why and goes on with the one before", async () => {
    const unknown = await call("PUT", "/live", serving(["9", 100]));
    expect(unknown.status).toBe(404);
    const wrong = await call("PUT", "/live", { ...serving(["1", 90]) });
    expect(wrong.json).toMatchObject({ status: 400, detail: expect.stringMatching(/add up to 100/) });
    expect((await call("GET", "/live")).json.status).toMatchObject({ state: "running", plan: 5 });
    const open = await call("PUT", "/live", { ...serving(["1", 100]), host: "0.0.0.0" });
    expect(open.json).toMatchObject({ status: 400, detail: expect.stringMatching(/give auth.keys/) });
    expect((await call("POST", "/live/promote")).json).toMatchObject({
      status: 409,
      detail: expect.stringMatching(/has no canary/),
    });
    expect((await call("GET", "/none")).json).toMatchObject({
      status: 404,
      detail: 'there is no deployment "none": there are live',
    });
  });

  it("keeps a version from being deleted", async () => {
    const response = await fetch(`${server.url}/v1/models/sums/versions/2`, { method: "DELETE" });
    expect(response.status).toBe(409);
    expect(await response.text()).toMatch(/deployment \\"live\\"/);
  });

  it("starts a replica again that was killed, in two seconds", async () => {
    const before = (await call("GET", "/live")).json.status;
    const [victim] = before.processes;
    const killed = performance.now();
    process.kill(victim?.pid ?? 0, "SIGKILL");
    const answer = await post(`${before.url}${INFER}`, asks);
    expect(answer.status).toBe(200); // the socket is there, and waits with the call if need be
    await until("another replica", async () => {
      const { processes } = (await call("GET", "/live")).json.status;
      return processes.some(({ pid }) => pid !== victim?.pid);
    });
    expect(performance.now() - killed).toBeLessThan(15_000); // two seconds on a machine with nothing else to do
    expect((await call("GET", "/live")).json.status).toMatchObject({
      restarts: 1,
      last_failure: "replica 0: ended by SIGKILL",
    });
  });

  it("goes on while the server is killed, and is found again when it is back", async () => {
    const { url } = (await call("GET", "/live")).json.status;
    const load = startLoad(url, INFER, asks, 4);
    await server.kill("SIGKILL");
    expect((await post(`${url}${INFER}`, asks)).status).toBe(200);
    server = await startLeeway(join(folder.path, "data"));
    await until("the deployment", async () => (await call("GET", "/live")).status === 200);
    const found = (await call("GET", "/live")).json.status;
    expect(found).toMatchObject({ state: "running", url, plan: 5 });
    await call("PUT", "/live", serving(["1", 100]));
    await until(
      "calls on kept connections to be answered by the new version",
      async () => load.answeredBy("1") > 0,
    );
    expect((await load.stop()).troubles).toEqual([]);
  });

  it("takes back a canary that fails, by itself", async () => {
    await call("PUT", "/live", serving(["1", 70], ["3", 30]));
    const { url } = (await call("GET", "/live")).json.status;
    const bad = { inputs: [{ ...asks.inputs[0], data: [-5, 0] }] }; // version 3 fails at this
    const load = startLoad(url, INFER, bad, 4);
    await until("the canary to be taken back", async () => {
      const [plan] = (await call("GET", "/live")).json.plans;
      return plan?.kind === "automatic-rollback" && plan.outcome === "live";
    });
    const report = await load.stop();
    expect(report.answers["500"]).toBeGreaterThan(0);
    const { status, plans } = (await call("GET", "/live")).json;
    expect(status.versions).toMatchObject([{ version: "1", weight: 100 }]);
    expect(plans[0]?.why).toMatch(/version 3 was taken back: it failed at \d+ of \d+ calls.*sequential/);
    const events = (await (await fetch(`${server.url}/v1/events`)).json()) as {
      events: { type: string; data: object }[];
    };
    const told = events.events
      .filter(({ type }) => type.startsWith("dev.leeway.deployment."))
      .map(({ type }) => type.slice("dev.leeway.deployment.".length));
    expect(told).toEqual([
      "started",
      "upgraded",
      "upgraded",
      "promoted",
      "rolled_back",
      "upgraded",
      "upgraded",
      "rolled_back",
    ]);
  });

  it("keeps what it scores while the server is away, and sends it to wherever that comes back", async () => {
    const asked = { ...serving(["1", 100]), capture: { batch_ms: 20 } };
    const { url, processes } = (await call("PUT", "/kept", asked)).json.status;
    const ask = async (id: string) => (await post(`${url}${INFER}`, { id, ...asks })).status;
    await server.kill("SIGKILL");
    expect(await ask("first")).toBe(200); // not taken, so what comes now goes to disk
    await until("it to be on disk", async () => spooled() > 0);
    expect(await ask("second")).toBe(200);
    await until("that too", async () => spooled() > 1);
    process.kill(processes[0]?.pid ?? 0, "SIGKILL");
    server = await startLeeway(join(folder.path, "data"));
    await until("both records", async () => {
      const sql = "select string_agg(record_id, ' ' order by record_id) from sums where deployment = 'kept'";
      const response = await fetch(`${server.url}/v1/query`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ sql }),
      });
      return (await response.text()).includes("first second");
    });
    const { plans } = (await call("GET", "/kept")).json;
    expect(plans[0]).toMatchObject({ kind: "restart", why: `the collector is at ${server.url} now` });
    await call("DELETE", "/kept");
  });

  it("with replicas auto follows the load, and says why", async () => {
    const asked = { ...serving(["1", 100]), replicas: "auto", scaling: { max: 2, utilisation: 0.05 } };
    const made = await call("PUT", "/wide", asked);
    expect(made.json.status).toMatchObject({ replicas: 1, scaling: { min: 1, max: 2 } });
    const load = startLoad(made.json.status.url, INFER, asks, 8);
    await until(
      "there are two replicas",
      async () => (await call("GET", "/wide")).json.status.replicas === 2,
    );
    await until("both have something to do", async () => {
      const { processes } = (await call("GET", "/wide")).json.status;
      return processes.length === 2 && processes.every(({ utilisation }) => (utilisation ?? 0) > 0.02);
    });
    expect((await load.stop()).troubles).toEqual([]);
    const { status } = (await call("GET", "/wide")).json;
    expect(status.scaling?.last_change).toMatchObject({
      from: 1,
      to: 2,
      reason: expect.stringMatching(/^busy \d+ % of the time, 5 % is the target$/),
    });
    await call("DELETE", "/wide");
  });

  it("that is stopped takes no more calls, and can be taken up again at the same address", async () => {
    const { url } = (await call("GET", "/live")).json.status;
    expect((await call("DELETE", "/live")).json.status.state).toBe("stopped");
    await until("the address to be free", async () => !(await answers(`${url}/ping`)));
    const again = await call("PUT", "/live", serving(["2", 100]));
    expect(again.json.status).toMatchObject({ state: "running", url });
  });
});

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
