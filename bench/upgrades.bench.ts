import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeploymentStatus } from "../schema/deployment.ts";
import { startLoad } from "../test/deployer/constant-load.ts";
import { adding } from "../test/deployer/replica-on.ts";
import { startServer } from "./sidecar-processes.ts";

/**
 * Upgrades, canary changes, promotions and rollbacks in a row at constant load: calls that failed, and the memory of the
 * replica after the first change and after the last.
 */
const CHANGES = Number(process.env.CHANGES ?? 30);
const CALLERS = Number(process.env.CALLERS ?? 8);
const folder = mkdtempSync(join(tmpdir(), "leeway-bench-upgrades-"));
const server = await startServer(["--port", "0", "--data-dir", join(folder, "data")]);

async function call(method: string, path: string, body?: object): Promise<DeploymentStatus> {
  const response = await fetch(`${server.url}/v1/deployments/live${path}`, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return JSON.parse(text) as DeploymentStatus;
}

const serving = (...versions: (readonly [string, number])[]) => ({
  model: "sums",
  versions: versions.map(([version, weight]) => ({ version, weight })),
});
const CYCLE: readonly (() => Promise<DeploymentStatus>)[] = [
  () => call("PUT", "", serving(["2", 100])),
  () => call("POST", "/rollback"),
  () => call("PUT", "", serving(["1", 90], ["2", 10])),
  () => call("PUT", "", serving(["1", 50], ["2", 50])),
  () => call("POST", "/promote"),
  () => call("PUT", "", serving(["1", 100])),
];

/** Of all replicas, once those that were replaced have gone and the new one has been called for a while. */
async function residentMb(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const { status } = await call("GET", "");
  return Math.round(status.processes.reduce((sum, { resident_bytes }) => sum + resident_bytes, 0) / 1e6);
}

try {
  for (const w of [1, 2]) {
    const form = new FormData();
    form.set("name", "sums");
    form.set("file", new Blob([adding(w) as Uint8Array<ArrayBuffer>]), "model.onnx");
    await fetch(`${server.url}/v1/models`, { method: "POST", body: form });
  }
  const { status } = await call("PUT", "", serving(["1", 100]));
  const asks = { inputs: [{ name: "x", shape: [1, 2], datatype: "FP32", data: [0, 1] }] };
  const load = startLoad(status.url, "/v2/models/sums/infer", asks, CALLERS);
  const tookMs: number[] = [];
  const memory: number[] = [];
  for (let change = 0; change < CHANGES; change++) {
    const started = performance.now();
    await CYCLE[change % CYCLE.length]?.();
    tookMs.push(performance.now() - started);
    if (change === 0 || change === CHANGES - 1) memory.push(await residentMb());
  }
  const { answers, versions, troubles, slowestMs } = await load.stop();
  const [first = 0, last = 0] = memory;
  const failed = Object.entries(answers).filter(([kind]) => kind !== "200");
  const result = {
    benchmark: "upgrades",
    changes: CHANGES,
    calls: answers["200"],
    failed: Object.fromEntries(failed),
    troubles,
    by_version: versions,
    slowest_call_ms: Math.round(slowestMs),
    change_ms: {
      mean: Math.round(tookMs.reduce((a, b) => a + b, 0) / CHANGES),
      most: Math.round(Math.max(...tookMs)),
    },
    resident_mb: { after_first: first, after_last: last },
  };
  console.log(JSON.stringify(result));
  if (failed.length > 0 || last > first * 1.2) process.exitCode = 1;
} finally {
  await call("DELETE", "").catch(() => undefined);
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
