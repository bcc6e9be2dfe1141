import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { built } from "../built-program.ts";
import { type LeewayServer, startLeeway } from "../collector/leeway-server.ts";
import { adding, modelFolder, slow } from "./replica-on.ts";

const folder = modelFolder();
let server: LeewayServer;

beforeAll(async () => {
  server = await startLeeway(join(folder.path, "data"));
  for (const bytes of [slow(400_000), adding(1)]) {
    const form = new FormData();
    form.set("name", "waves");
    form.set("file", new Blob([bytes as Uint8Array<ArrayBuffer>]), "model.onnx");
    const response = await fetch(`${server.url}/v1/models`, { method: "POST", body: form });
    if (!response.ok) throw new Error(await response.text());
  }
});
afterAll(async () => {
  await call("DELETE", "/v1/deployments/waves");
  await server.kill("SIGTERM");
  folder.remove();
});

async function call(method: string, path: string, body?: object) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  const text = await response.text();
  return { status: response.status, json: text === "" ? {} : JSON.parse(text) };
}

/** The same as `leeway` with these words, until it is stopped. */
function started(...words: readonly string[]) {
  const child = spawn(process.execPath, [built("app/cli.ts"), ...words], {
    cwd: folder.path,
    env: { PATH: process.env.PATH, LEEWAY_URL: server.url },
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  return {
    stop: async () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

const jobs = async () => (await call("GET", "/v1/models/waves/versions/1/jobs")).json.jobs;

it("a version is not deleted while a profile run loads it, and may be when that was stopped", {
  timeout: 60_000,
}, async () => {
  const run = started("profile", "run", "--model", "waves:1", "--rate", "1", "--slo", "p99=5s", "--quick");
  try {
    await expect.poll(jobs, { timeout: 20_000 }).toHaveLength(1);
    const refused = await call("DELETE", "/v1/models/waves/versions/1");
    expect(refused).toMatchObject({
      status: 409,
      json: {
        code: "conflict",
        detail: expect.stringMatching(
          /^version 1 of model "waves" cannot be deleted: the job "profile run of .+", running since .+Z, uses it$/,
        ),
      },
    });
    expect(refused.json.detail).toContain(` on ${hostname()}"`);
  } finally {
    await run.stop();
  }
  expect(await jobs()).toEqual([]);
});

it("nor while a service that serves it is profiled for the server", { timeout: 60_000 }, async () => {
  const target = createServer((_, response) => response.end("{}")).listen(0, "127.0.0.1");
  await once(target, "listening");
  const url = `http://127.0.0.1:${(target.address() as AddressInfo).port}/score`;
  const profile = ["--payloads", "body.json", "--rate", "1", "--slo", "p99=5s", "--quick", "--of", "waves:1"];
  writeFileSync(join(folder.path, "body.json"), '{"x": 1}');
  const run = started("profile", "run", "--url", url, "--server", server.url, ...profile, "--save");
  try {
    await expect
      .poll(jobs, { timeout: 20_000 })
      .toMatchObject([{ what: expect.stringMatching(/^profile run of /) }]);
  } finally {
    await run.stop();
    target.close();
    target.closeAllConnections();
  }
  expect(await jobs()).toEqual([]);
});

it("nor while a file is scored with it", { timeout: 60_000 }, async () => {
  const rows = Array.from({ length: 64 }, (_, at) => `${at},1`);
  writeFileSync(join(folder.path, "rows.csv"), ["x0,x1", ...rows].join("\n"));
  const run = started("score", "waves:1", "rows.csv", "scored.csv", "--columns", "x0,x1", "--threads", "1");
  try {
    await expect.poll(jobs, { timeout: 20_000 }).toHaveLength(1);
    const { json } = await call("DELETE", "/v1/models/waves/versions/1");
    expect(json.detail).toMatch(/the job "batch scoring of .+", running since .+Z, uses it$/);
  } finally {
    expect(await run.stop()).toEqual([null, "SIGTERM"]);
  }
  expect(await jobs()).toEqual([]);
});

it("nor while a deployment is being made that is about to serve it", { timeout: 60_000 }, async () => {
  const spec = { model: "waves", versions: [{ version: "1", weight: 100 }], capture: { enabled: false } };
  let state = "under way";
  const made = call("PUT", "/v1/deployments/waves", spec).finally(() => {
    state = "made";
  });
  const detail =
    'version 1 of model "waves" cannot be deleted: deployment "waves", which is being changed, uses it';
  await expect
    .poll(async () => [
      state,
      (await call("GET", "/v1/deployments/waves")).status,
      (await call("DELETE", "/v1/models/waves/versions/1")).json.detail,
    ])
    .toEqual(["under way", 404, detail]);
  expect((await made).status).toBe(200);
  expect((await call("DELETE", "/v1/models/waves/versions/1")).json.detail).toBe(
    'version 1 of model "waves" cannot be deleted: deployment "waves" uses it',
  );
});
