import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import type { Replica } from "../../deployer/replica/replica.ts";
import { adding, failing, modelFolder, planned, planOf, post, replicaOn, slow } from "./replica-on.ts";

const folder = modelFolder();
const running: Replica[] = [];
afterAll(async () => {
  await Promise.all(running.map((replica) => replica.drain(0)));
  folder.remove();
});

async function serve(plan: Parameters<typeof replicaOn>[0]): Promise<string> {
  const replica = await replicaOn(plan);
  running.push(replica);
  return replica.url;
}

const plusOne = folder.write("plus-one.onnx", adding(1));
const plusTwo = folder.write("plus-two.onnx", adding(2));
const infer = (
  values: readonly number[],
  shape: readonly number[] = [values.length / 2, 2],
  datatype = "FP32",
) => ({
  inputs: [{ name: "x", shape, datatype, data: values }],
});

describe("a version that is not fit", () => {
  const sample = (data: number[]) => ({
    inputs: [{ name: "x", datatype: "FP32" as const, shape: [1, 2], data: [1, 2] }],
    outputs: [{ name: "y", datatype: "FP32" as const, shape: [1, 2], data }],
  });

  it("is not served when its self-check gives something else than was recorded", async () => {
    const version = await planned({ model_file: plusOne, sample: sample([2, 9]) });
    await expect(replicaOn(planOf([version]))).rejects.toThrow(
      'version 1 cannot be served: its self-check failed: output "y" is 3 at 1 and 9 was recorded',
    );
    await serve(planOf([await planned({ model_file: plusOne, sample: sample([2, 3.0001]) })]));
  });

  it("is not served when its file is another than was registered", async () => {
    const version = await planned({ model_file: plusOne, sha256: "0".repeat(64) });
    await expect(replicaOn(planOf([version]))).rejects.toThrow(/the hash differs/);
  });

  it("that fails at a request says so, and goes on", async () => {
    const url = await serve(planOf([await planned({ model_file: folder.write("failing.onnx", failing()) })]));
    const answer = await post(`${url}/v2/models/model/infer`, infer([-5, 0]));
    expect(answer.status).toBe(500);
    expect(answer.json).toEqual({
      error: expect.stringMatching(/indices element out of data bounds|Gather/),
    });
    expect((await post(`${url}/v2/models/model/infer`, infer([1, 0]))).status).toBe(200);
  });
});

describe("keys", () => {
  it("are needed for everything but health", async () => {
    const hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; // of "secret"
    const url = await serve(
      planOf([await planned({ model_file: plusOne })], { auth: { key_hashes: [hash] } }),
    );
    const path = `${url}/v2/models/model/infer`;
    expect((await post(path, infer([1, 2]))).status).toBe(401);
    expect((await post(path, infer([1, 2]), { authorization: "Bearer wrong" })).json).toEqual({
      error: "the key is not one of this deployment's",
    });
    expect((await post(path, infer([1, 2]), { authorization: "Bearer secret" })).status).toBe(200);
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
  });
});

describe("several versions", () => {
  const two = async () => [
    await planned({ model_file: plusOne, version: "1", weight: 70 }),
    await planned({ model_file: plusTwo, version: "2", weight: 30 }),
  ];
  const versionFor = async (url: string, headers: Record<string, string>) =>
    ((await post(`${url}/v2/models/model/infer`, infer([0, 0]), headers)).json as { model_version: string })
      .model_version;

  it("share the calls by weight, and a key always comes to the same", async () => {
    const url = await serve(planOf(await two()));
    const chosen = new Map<string, string>();
    for (let key = 0; key < 300; key++)
      chosen.set(`k${key}`, await versionFor(url, { "x-leeway-routing-key": `k${key}` }));
    const canary = [...chosen.values()].filter((version) => version === "2").length;
    expect(canary).toBeGreaterThan(60);
    expect(canary).toBeLessThan(120);
    for (let key = 0; key < 30; key++)
      expect(await versionFor(url, { "x-leeway-routing-key": `k${key}` })).toBe(chosen.get(`k${key}`));
  });

  it("that is withdrawn gets no more calls, but by its name", async () => {
    const replica = await replicaOn(planOf(await two()));
    running.push(replica);
    replica.withdraw("2");
    const found = new Set<string>();
    for (let i = 0; i < 40; i++) found.add(await versionFor(replica.url, { "x-request-id": `i${i}` }));
    expect([...found]).toEqual(["1"]);
    expect((await post(`${replica.url}/v2/models/model/versions/2/infer`, infer([0, 0]))).status).toBe(200);
  });

  it("have the labels that TensorFlow Serving gives them", async () => {
    const url = await serve(planOf(await two()));
    const predict = async (label: string) => {
      const { status, json } = await post(`${url}/v1/models/model/labels/${label}:predict`, {
        instances: [[0, 0]],
      });
      return [status, json];
    };
    expect(await predict("stable")).toEqual([200, { predictions: [[1, 1]] }]);
    expect(await predict("canary")).toEqual([200, { predictions: [[2, 2]] }]);
    const error = 'label "best" stands for no version here: there is stable, and canary';
    expect(await predict("best")).toEqual([404, { error }]);
    const status = await fetch(`${url}/v1/models/model/labels/canary`);
    expect(await status.json()).toMatchObject({ model_version_status: [{ version: "2" }] });
    expect((await post(`${url}/v1/models/model/versions/2:predict`, { instances: [[0, 0]] })).json).toEqual({
      predictions: [[2, 2]],
    });
  });
});

describe("a model that takes long", () => {
  it("runs in a thread: health answers meanwhile, and what would wait too long is told so", async () => {
    const file = folder.write("slow.onnx", slow(60_000));
    const plan = planOf([await planned({ model_file: file })], {
      limits: { max_wait_ms: 400, timeout_ms: 20_000 },
    });
    const replica = await replicaOn(plan);
    running.push(replica);
    const { inference } = replica.state.versions[0] ?? {};
    expect(inference?.place).toBe("thread");
    const calls = Array.from({ length: 40 }, () =>
      post(`${replica.url}/v2/models/model/infer`, infer([1, 2])),
    );
    let health = 0;
    while (health < 20) {
      expect((await fetch(`${replica.url}/healthz`)).status).toBe(200);
      health += 1;
    }
    const answers = await Promise.all(calls);
    const refused = answers.filter(({ status }) => status === 503);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(0);
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(refused[0]?.json).toEqual({
      error: expect.stringMatching(/the model is busy: \d+ requests are before/),
    });
  });

  it("is answered with 504 when it takes longer than allowed", async () => {
    const file = folder.write("slower.onnx", slow(300_000));
    const url = await serve(
      planOf([await planned({ model_file: file })], { limits: { timeout_ms: 50, max_wait_ms: 60_000 } }),
    );
    const answer = await post(`${url}/v2/models/model/infer`, infer([1, 2]));
    expect(answer.status).toBe(504);
    expect(answer.json).toEqual({
      error:
        "the model took longer than 50 ms: ask for less at once, or raise limits.timeout_ms of the deployment",
    });
  });
});

describe("what is collected", () => {
  it("is each instance with its id, and a shadow's answer beside the one that was given", async () => {
    const records: Record<string, unknown>[] = [];
    const collector = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const lines = Buffer.concat(parts).toString().trim().split("\n");
      records.push(...lines.map((line) => JSON.parse(line) as Record<string, unknown>));
      response.setHeader("content-type", "application/json");
      response.statusCode = 202;
      response.end(
        JSON.stringify({
          received: lines.length,
          stored: lines.length,
          duplicates: 0,
          rejected: 0,
          errors: [],
        }),
      );
    });
    await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = collector.address() as AddressInfo;
      const version = await planned(
        { model_file: plusOne, version: "1" },
        { feature_names: ["age", "income"] },
      );
      const shadow = await planned({ model_file: plusTwo, version: "2" });
      const capture = { collector: `http://127.0.0.1:${port}`, time: "ce-time" } as const;
      const replica = await replicaOn(
        planOf([version], { capture, shadow: { version: shadow, fraction: 1 } }),
      );
      await post(
        `${replica.url}/invocations`,
        {
          dataframe_records: [
            { age: 1, income: 2 },
            { age: 3, income: 4 },
          ],
        },
        {
          "content-type": "application/json",
          "x-request-id": "call-1",
          "ce-time": "2001-02-01T06:00:00+01:00",
        },
      );
      await post(
        `${replica.url}/v2/models/model/infer`,
        { id: "call-2", ...infer([5, 6]) },
        { "content-type": "application/json", "ce-time": "yesterday" },
      );
      await post(`${replica.url}/v2/models/model/infer`, { id: "call-3", inputs: [] }); // the caller's fault: nothing was scored
      await replica.drain(500);
      const common = {
        deployment: "test",
        version: "1",
        status: 200,
        time: expect.stringMatching(/^20[2-9]/), // of the call: it named none, or none that is one
        latency_ms: expect.any(Number),
      };
      expect(records).toEqual([
        {
          ...common,
          id: "call-1",
          time: "2001-02-01T05:00:00.000Z",
          row: 0,
          inputs: { age: 1, income: 2 },
          outputs: { y_0: 2, y_1: 3, shadow_y_0: 3, shadow_y_1: 4, shadow_version: "2" },
        },
        {
          ...common,
          id: "call-1",
          time: "2001-02-01T05:00:00.000Z",
          row: 1,
          inputs: { age: 3, income: 4 },
          outputs: { y_0: 4, y_1: 5, shadow_y_0: 5, shadow_y_1: 6, shadow_version: "2" },
        },
        {
          ...common,
          id: "call-2",
          inputs: { age: 5, income: 6 },
          outputs: { y_0: 6, y_1: 7, shadow_y_0: 7, shadow_y_1: 8, shadow_version: "2" },
        },
      ]);
    } finally {
      collector.close();
      collector.closeAllConnections();
    }
  });
});
