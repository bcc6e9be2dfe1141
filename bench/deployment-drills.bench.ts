import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DeploymentStatus } from "../schema/deployment.ts";
import { startLoad } from "../test/deployer/constant-load.ts";
import { adding } from "../test/deployer/replica-on.ts";
import { startServer } from "./sidecar-processes.ts";

/*
 * What a deployment does when its parts are killed or its load changes, each under calls from kept connections:
 * `kill -9` of one of two replicas, `kill -9` of the server, and a load that comes and goes with replicas auto.
 */
const CALLERS = 8;
const folder = mkdtempSync(join(tmpdir(), "leeway-bench-drills-"));
const args = ["--port", "0", "--data-dir", join(folder, "data")];
const asks = { inputs: [{ name: "x", shape: [1, 2], datatype: "FP32", data: [0, 1] }] };
let server = await startServer(args);

async function call(method: string, path: string, body?: object): Promise<DeploymentStatus> {
  const response = await fetch(`${server.url}/v1/deployments${path}`, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return JSON.parse(text) as DeploymentStatus;
}

/** Milliseconds until it holds. */
async function until(holds: () => Promise<boolean>, withinMs = 120_000): Promise<number> {
  const started = performance.now();
  while (!(await holds().catch(() => false))) {
    if (performance.now() - started > withinMs) throw new Error(`not within ${withinMs} ms`);
    await sleep(20);
  }
  return Math.round(performance.now() - started);
}

function loadOn({ status }: DeploymentStatus) {
  return startLoad(status.url, "/v2/models/sums/infer", asks, CALLERS);
}

const spec = { model: "sums", versions: [{ version: "1", weight: 100 }], capture: { enabled: false } };
const failedOf = (answers: Readonly<Record<string, number>>) =>
  Object.entries(answers).reduce((sum, [kind, count]) => (kind === "200" ? sum : sum + count), 0);
let outcome = 0;
const tell = (result: object, holds: boolean) => {
  console.log(JSON.stringify({ benchmark: "deployment-drills", ...result, holds }));
  if (!holds) outcome = 1;
};

async function killReplica(): Promise<void> {
  const load = loadOn(await call("PUT", "/drill", { ...spec, replicas: 2 }));
  await sleep(2_500);
  const victim = (await call("GET", "/drill")).status.processes[0];
  process.kill(victim?.pid ?? 0, "SIGKILL");
  await sleep(10);
  const back = await until(async () => {
    const { processes } = (await call("GET", "/drill")).status;
    return processes.length === 2 && processes.every(({ pid }) => pid !== victim?.pid);
  });
  await sleep(2_000);
  const { answers, slowestMs } = await load.stop();
  const failed = failedOf(answers);
  // Each caller has one call under way at most, and only some of them were with the replica that was killed.
  tell(
    {
      drill: "kill -9 of a replica",
      calls: answers["200"],
      failed,
      callers: CALLERS,
      back_ms: back,
      slowest_call_ms: Math.round(slowestMs),
    },
    failed <= CALLERS && back <= 2_000,
  );
}

async function killServer(): Promise<void> {
  const load = loadOn(await call("GET", "/drill"));
  await sleep(500);
  await server.stop("SIGKILL");
  await sleep(3_000);
  server = await startServer(args);
  const found = await until(async () => (await call("GET", "/drill")).status.state === "running");
  const { answers, slowestMs } = await load.stop();
  tell(
    {
      drill: "kill -9 of leeway serve",
      calls: answers["200"],
      failed: failedOf(answers),
      found_again_ms: found,
      slowest_call_ms: Math.round(slowestMs),
    },
    failedOf(answers) === 0,
  );
  await call("DELETE", "/drill");
}

async function loadComesAndGoes(): Promise<void> {
  const scaling = { min: 1, max: 2, utilisation: 0.1 };
  const load = loadOn(await call("PUT", "/auto", { ...spec, replicas: "auto", scaling }));
  const up = await until(async () => (await call("GET", "/auto")).status.replicas === 2);
  await sleep(3_000);
  const { status } = await call("GET", "/auto");
  const busy = status.processes.map(({ utilisation }) => utilisation);
  const { answers } = await load.stop();
  const { url } = status;
  let asked = 0;
  let failed = failedOf(answers);
  const down = await until(async () => {
    const response = await fetch(`${url}/v2/models/sums/infer`, {
      method: "POST",
      body: JSON.stringify(asks),
    }).catch(() => undefined);
    await response?.arrayBuffer();
    asked += 1;
    if (response?.status !== 200) failed += 1;
    await sleep(80);
    return (await call("GET", "/auto")).status.replicas_wanted === 1;
  });
  const after = (await call("GET", "/auto")).status.scaling;
  tell(
    {
      drill: "a load that comes and goes",
      calls: (answers["200"] ?? 0) + asked,
      failed,
      two_after_ms: up,
      busy,
      one_after_ms: down,
      why: after?.last_change?.reason,
    },
    failed === 0,
  );
  await call("DELETE", "/auto");
}

try {
  const form = new FormData();
  form.set("name", "sums");
  form.set("file", new Blob([adding(1) as Uint8Array<ArrayBuffer>]), "model.onnx");
  await fetch(`${server.url}/v1/models`, { method: "POST", body: form });
  await killReplica();
  await killServer();
  await loadComesAndGoes();
  process.exitCode = outcome;
} finally {
  for (const name of ["drill", "auto"]) await call("DELETE", `/${name}`).catch(() => undefined);
  await server.stop("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
}
