import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeploymentStatus } from "../../schema/deployment.ts";
import { type LeewayServer, startLeeway } from "../collector/leeway-server.ts";
import { adding, modelFolder } from "./replica-on.ts";

const folder = modelFolder();
const data = join(folder.path, "data");
let server: LeewayServer;
const asks = { inputs: [{ name: "x", shape: [1, 2], datatype: "FP32", data: [0, 1] }] };
const INFER = "/v2/models/sums/infer";

beforeAll(async () => {
  server = await startLeeway(data);
  await register("sums", { "model.onnx": adding(1) });
  await register("sums", { "model.onnx": adding(2) });
});
afterAll(async () => {
  for (const { name } of (await call<{ deployments: DeploymentStatus[] }>("GET", "")).json.deployments)
    await call("DELETE", `/${name}`);
  await server.kill("SIGTERM");
  folder.remove();
});

async function register(name: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  const form = new FormData();
  form.set("name", name);
  for (const [path, content] of Object.entries(files))
    form.append("file", new Blob([content as string | Uint8Array<ArrayBuffer>]), path);
  const response = await fetch(`${server.url}/v1/models`, { method: "POST", body: form });
  if (!response.ok) throw new Error(await response.text());
}

async function call<T = DeploymentStatus>(method: string, path: string, body?: object) {
  const response = await fetch(`${server.url}/v1/deployments${path}`, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  return { status: response.status, json: (await response.json()) as T };
}

/** What the deployment answers, on a connection that is not kept: nothing waits for that to end. */
function ask(url: string, path = INFER): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method: "POST", agent: false }, (response) => {
      text(response).then(resolve, reject);
    });
    sent.on("error", reject).end(JSON.stringify(asks));
  });
}

/** A port that no other deployment takes by itself. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const serving = (model: string, version = "1") => ({
  model,
  versions: [{ version, weight: 100 }],
  capture: { enabled: false },
});

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not in 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Has the server killed while it is about to serve a plan, and started again. */
async function killedMeanwhile(name: string, spec: object, under: () => boolean): Promise<void> {
  const put = call("PUT", `/${name}`, spec).catch(() => undefined);
  await until("the plan to be under way", under);
  await server.kill("SIGKILL");
  await put;
  server = await startLeeway(data);
}

describe("a plan that the server did not live to see served", () => {
  it("is a failed one of a deployment that is new, and leaves no process behind", async () => {
    const file = join(data, "deployments", "fresh", "group.json");
    await killedMeanwhile("fresh", serving("sums"), () => existsSync(file));
    const { pid } = JSON.parse(readFileSync(file, "utf8")) as { readonly pid: number };
    await until("the group to end", () => !alive(pid));
    expect((await call("GET", "/fresh")).status).toBe(404);

    const { url } = (await call("PUT", "/fresh", serving("sums"))).json.status;
    expect(await ask(url)).toMatch(/"model_version":"1"/);
    expect((await call("GET", "/fresh")).json.plans).toMatchObject([
      { number: 2, outcome: "live" },
      { number: 1, outcome: "failed", error: expect.stringMatching(/leeway serve ended before/) },
    ]);
  });

  it("is a failed one of a deployment that goes on with the plan before", async () => {
    const plan = join(data, "deployments", "fresh", "plans", "000003.json");
    await killedMeanwhile("fresh", serving("sums", "2"), () => existsSync(plan));
    await until(
      "the plan to be told",
      async () => (await call("GET", "/fresh")).json.plans[0]?.outcome === "failed",
    );
    await until("the plan before", async () => (await call("GET", "/fresh")).json.status.plan === 2);
    const { status, plans } = (await call("GET", "/fresh")).json;
    expect(status).toMatchObject({ state: "running", versions: [{ version: "1" }] });
    expect(plans[0]?.error).toBe("leeway serve ended before it was served: plan 2 goes on");
  });
});

describe("a deployment that was stopped", () => {
  it("is taken up again at once, when its old replicas have answered the calls under way", async () => {
    const port = await freePort();
    const { url } = (await call("PUT", "/again", { ...serving("sums"), port })).json.status;
    const body = JSON.stringify(asks);
    const under = connect(port, "127.0.0.1");
    const head = `POST ${INFER} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n`;
    under.write(`${head}${body}`);
    await once(under, "data");
    under.write(`${head}{`);
    const answered = once(under, "data");
    await call("DELETE", "/again");
    const again = call("PUT", "/again", serving("sums", "2"));
    await new Promise((resolve) => setTimeout(resolve, 300));
    under.write(body.slice(1));
    expect(String(await answered)).toMatch(/^HTTP\/1.1 200 .*"model_version":"1"/s);
    under.destroy();
    expect((await again).json).toMatchObject({ status: { state: "running", url, replicas: 1 } });
    expect(await ask(url)).toMatch(/"model_version":"2"/);
  });

  it("serves the files of another model, not those of the same version of the one before", async () => {
    await register("left", { "model.onnx": adding(1), "notes.txt": "left" });
    await register("right", { "model.onnx": adding(5), "notes.txt": "right" });
    await call("PUT", "/turning", serving("left"));
    const turned = await call("PUT", "/turning", serving("right"));
    expect(turned.status).toBe(200);
    expect(await ask(turned.json.status.url, "/v2/models/right/infer")).toMatch(/"data":\[5,6\]/);
  });
});

it("deployments are listed by pages", async () => {
  type Page = { readonly deployments: DeploymentStatus[]; readonly cursor: string | null };
  const names = ({ deployments }: Page) => deployments.map(({ name }) => name);
  const first = (await call<Page>("GET", "?limit=2")).json;
  const rest = (await call<Page>("GET", `?limit=2&cursor=${first.cursor}`)).json;
  expect([names(first), names(rest), rest.cursor]).toEqual([["again", "fresh"], ["turning"], null]);
});

describe("a deployment that cannot come about", () => {
  it("since its module ends the replica says so, and goes on as before", async () => {
    await register("left", { "model.onnx": adding(1), "ends.mjs": "process.exit(7);" });
    const made = await call("PUT", "/turning", { ...serving("left", "2"), module: "ends.mjs" });
    expect(made).toMatchObject({
      status: 409,
      json: {
        detail:
          'deployment "turning" cannot serve this: a replica ended with code 7 before it scored: its model or module ended it, or the machine was out of memory',
      },
    });
    expect((await call("GET", "/turning")).json.status).toMatchObject({ state: "running", plan: 2 });
  });

  it("since its host is another machine's says what is expected", async () => {
    const keys = [{ name: "shop", key: "a-long-and-random-text" }];
    const made = await call("PUT", "/far", { ...serving("sums"), host: "192.0.2.1", auth: { keys } });
    expect(made).toMatchObject({
      status: 409,
      json: {
        detail: expect.stringMatching(
          /192\.0\.2\.1:\d+ cannot be listened on \(EADDRNOTAVAIL\): the host has to be/,
        ),
      },
    });
  });
});
