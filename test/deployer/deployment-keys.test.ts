import { Agent, request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeploymentStatus } from "../../schema/deployment.ts";
import { type LeewayServer, startLeeway } from "../collector/leeway-server.ts";
import { leeway } from "../e2e/leeway.ts";
import { startLoad } from "./constant-load.ts";
import { adding, modelFolder } from "./replica-on.ts";

const folder = modelFolder();
const asks = { inputs: [{ name: "x", shape: [1, 2], datatype: "FP32", data: [0, 1] }] };
const INFER = "/v2/models/sums/infer";
let server: LeewayServer;

beforeAll(async () => {
  server = await startLeeway(join(folder.path, "data"));
  for (const bytes of [adding(1), adding(2)]) {
    const form = new FormData();
    form.set("name", "sums");
    form.set("file", new Blob([bytes as Uint8Array<ArrayBuffer>]), "model.onnx");
    expect((await fetch(`${server.url}/v1/models`, { method: "POST", body: form })).status).toBe(201);
  }
});
afterAll(async () => {
  await fetch(`${server.url}/v1/deployments/keyed`, { method: "DELETE" });
  await server.kill("SIGTERM");
  folder.remove();
});

/** Has the deployment ask for these keys; none when there are none. */
async function askFor(...keys: readonly string[]): Promise<DeploymentStatus> {
  const response = await fetch(`${server.url}/v1/deployments/keyed`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "sums",
      versions: [{ version: "1", weight: 100 }],
      capture: { enabled: false },
      ...(keys.length === 0 ? {} : { auth: { keys: keys.map((key) => ({ name: key.slice(0, 5), key })) } }),
    }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as DeploymentStatus;
}

/** A caller with one connection, which is kept. */
function caller(url: string): { ask(key?: string): Promise<number | undefined>; end(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (key?: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const call = request(`${url}${INFER}`, {
        method: "POST",
        agent,
        headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      });
      call.on("error", reject);
      call.on("response", (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode));
      });
      call.end(JSON.stringify(asks));
    });
  return { ask, end: () => agent.destroy() };
}

it("keys come, change and go while callers go on, and hold for connections that were there before", {
  timeout: 60_000,
}, async () => {
  const [first, second] = ["first-key-0123456789abcdef", "second-key-0123456789abcdef"];
  const { status } = await askFor();
  const { url } = status;
  const callers: ReturnType<typeof caller>[] = [];
  /** Callers whose connections are to the replicas of the present plan: they would ask the next by the last one's rules. */
  const connected = async (key?: string) => {
    const added = Array.from({ length: 3 }, () => caller(url));
    callers.push(...added);
    expect(await Promise.all(added.map((each) => each.ask(key)))).toEqual([200, 200, 200]);
    return async (with_?: string) => [...new Set(await Promise.all(added.map((each) => each.ask(with_))))];
  };
  const firstLoad = startLoad(url, INFER, asks, 3, { authorization: `Bearer ${first}` });

  const beforeKeys = await connected();
  await askFor(first);
  expect(await beforeKeys()).toEqual([401]);
  expect(await (await connected(first))()).toEqual([401]);
  expect(await beforeKeys("no-key-of-this-deployment")).toEqual([401]);

  const oneKey = await connected(first);
  await askFor(first, second);
  expect(await oneKey(second)).toEqual([200]);
  const secondLoad = startLoad(url, INFER, asks, 3, { authorization: `Bearer ${second}` });
  const firstReport = await firstLoad.stop();

  const twoKeys = await connected(first);
  await askFor(second);
  expect(await twoKeys(first)).toEqual([401]);

  const lastKey = await connected(second);
  await askFor();
  expect(await lastKey()).toEqual([200]);
  const secondReport = await secondLoad.stop();
  for (const each of callers) each.end();

  for (const { answers, troubles } of [firstReport, secondReport]) {
    expect(troubles).toEqual([]);
    expect(answers["200"]).toBeGreaterThan(20);
  }
  const found = await (await fetch(`${server.url}/v1/deployments/keyed`)).text();
  for (const key of [first, second]) expect(found).not.toContain(key);
  expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
});

it("the command line gives keys by files and takes them away; a rollback leaves them as they are", {
  timeout: 60_000,
}, async () => {
  const { url } = (await askFor()).status;
  const asked = async (key?: string) => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const response = await fetch(`${url}${INFER}`, { method: "POST", body: JSON.stringify(asks), headers });
    const { model_version } = (await response.json()) as { model_version?: string };
    return model_version ?? response.status;
  };
  const file = (name: string, text: string) => folder.write(`${name}.key`, Buffer.from(text));
  const [shop, desk] = ["key-of-the-shop-0123456789", "key-of-the-desk-0123456789"];
  const env = { LEEWAY_URL: server.url };
  const deploy = (model: string, ...words: readonly string[]) =>
    leeway(["deploy", "keyed", model, "--no-capture", ...words], { env });

  const files = [
    "--caller-key",
    `shop=${file("shop", `${shop}\n`)}`,
    "--caller-key",
    `desk=${file("desk", desk)}`,
  ];
  const given = await deploy("sums:2", ...files, "--json");
  expect(given, given.stderr).toMatchObject({ code: 0 });
  for (const key of [shop, desk]) expect(given.stdout).not.toContain(key);
  expect([await asked(), await asked(shop), await asked(desk)]).toEqual([401, "2", "2"]);

  expect((await deploy("sums:2", "--caller-key", "shop=")).code).toBe(0);
  expect([await asked(shop), await asked(desk)]).toEqual([401, "2"]);
  const back = await leeway(["deploy", "rollback", "keyed"], { env });
  expect(back, back.stderr).toMatchObject({ code: 0 });
  expect([await asked(), await asked(shop), await asked(desk)]).toEqual([401, 401, "1"]);

  expect((await deploy("sums:1", "--caller-key", "none")).code).toBe(0);
  expect(await asked()).toBe("1");
});
