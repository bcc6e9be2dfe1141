import { afterAll, describe, expect, it } from "vitest";
import type { Replica } from "../../deployer/replica/replica.ts";
import { adding, modelFolder, planned, planOf, post, replicaOn } from "./replica-on.ts";

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
const infer = (
  values: readonly number[],
  shape: readonly number[] = [values.length / 2, 2],
  datatype = "FP32",
) => ({
  inputs: [{ name: "x", shape, datatype, data: values }],
});

describe("rows in JSON", async () => {
  const url = await serve(
    planOf([await planned({ model_file: plusOne }, { feature_names: ["age", "income"] })]),
  );
  const at = { v1: `${url}/v1/models/model:predict`, mlflow: `${url}/invocations` };
  const both = [
    [2, 3],
    [4, 5],
  ];

  it.each([
    {
      of: "v1",
      asks: {
        instances: [
          [1, 2],
          [3, 4],
        ],
      },
      answers: { predictions: both },
    },
    { of: "v1", asks: { instances: [{ x: [1, 2] }, { x: [3, 4] }] }, answers: { predictions: both } },
    {
      of: "v1",
      asks: {
        instances: [
          { income: 2, age: 1 },
          { age: 3, income: 4, town: "Ulm" },
        ],
      },
      answers: { predictions: both },
    },
    {
      of: "v1",
      asks: {
        inputs: [
          [1, 2],
          [3, 4],
        ],
      },
      answers: { outputs: both },
    },
    {
      of: "v1",
      asks: {
        inputs: {
          x: [
            [1, 2],
            [3, 4],
          ],
        },
      },
      answers: { outputs: both },
    },
    {
      of: "v1",
      asks: { signature_name: "serving_default", instances: [[1, null]] },
      answers: { predictions: [[2, "NaN"]] },
    },
    { of: "mlflow", asks: { inputs: { income: [2, 4], age: [1, 3] } }, answers: { predictions: both } },
    {
      of: "mlflow",
      asks: {
        dataframe_split: {
          columns: ["income", "age"],
          index: [0, 1],
          data: [
            [2, 1],
            [4, 3],
          ],
        },
      },
      answers: { predictions: both },
    },
    {
      of: "mlflow",
      asks: {
        dataframe_records: [
          { age: 1, income: 2 },
          { age: 3, income: 4 },
        ],
      },
      answers: { predictions: both },
    },
    {
      of: "mlflow",
      asks: {
        instances: [
          [1, 2],
          [3, 4],
        ],
      },
      answers: { predictions: both },
    },
    {
      of: "mlflow",
      asks: {
        inputs: [
          [1, 2],
          [3, 4],
        ],
        params: {},
      },
      answers: { predictions: both },
    },
    { of: "mlflow", asks: { age: true, income: 2 }, answers: { predictions: [[2, 3]] } },
    {
      of: "mlflow",
      asks: [
        { age: 1, income: 2 },
        { age: 3, income: 4 },
      ],
      answers: { predictions: both },
    },
  ] as const)("$of: $asks", async ({ of, asks, answers }) => {
    const { status, json } = await post(at[of], asks);
    expect(json).toEqual(answers);
    expect(status).toBe(200);
  });

  it("CSV with a line of names, in any order", async () => {
    const answer = await post(at.mlflow, "income,age\n2,1\n4,3\n", { "content-type": "text/csv" });
    expect(answer.json).toEqual({ predictions: both });
  });

  it.each([
    {
      of: "v1",
      asks: { instances: [{ age: 1 }] },
      status: 400,
      says: { error: 'row 0 has no column "income"' },
    },
    {
      of: "v1",
      asks: { instances: [[1, 2], [3]] },
      status: 400,
      says: { error: 'input "x": row 1 is not of shape [2] as the first' },
    },
    {
      of: "v1",
      asks: { instances: [[1, 2, 3]] },
      status: 400,
      says: { error: 'input "x" is of shape [1,3] and the model takes [n, 2]' },
    },
    {
      of: "v1",
      asks: { instances: [[1, "two"]] },
      status: 400,
      says: { error: 'tensor "x" of FP32 holds two' },
    },
    { of: "v1", asks: { instances: [] }, status: 400, says: { error: "the request holds no instances" } },
    { of: "v1", asks: {}, status: 400, says: { error: "expected exactly one of instances and inputs" } },
    { of: "v1", asks: "{", status: 400, says: { error: expect.stringMatching(/^not JSON/) } },
    {
      of: "mlflow",
      asks: { instances: [[1, 2]], inputs: [[1, 2]] },
      status: 400,
      says: { error_code: "BAD_REQUEST", message: expect.stringMatching(/exactly one of/) },
    },
    {
      of: "mlflow",
      asks: 5,
      status: 400,
      says: { error_code: "BAD_REQUEST", message: "the request is one bare value" },
    },
  ] as const)("$of: $asks is refused in its own form", async ({ of, asks, status, says }) => {
    const answer = await post(at[of], asks);
    expect(answer.json).toEqual(says);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("x-leeway-record-id")).toMatch(/./);
  });

  it("another type than JSON and CSV is refused as MLflow does it", async () => {
    const answer = await post(at.mlflow, "x", { "content-type": "application/json; charset=latin1" });
    expect(answer.status).toBe(415);
    expect(answer.headers.get("content-type")).toBe("text/plain");
    expect(answer.json).toMatch(/only supports/);
  });
});

describe("the V2 protocol", async () => {
  const url = await serve(
    planOf([await planned({ model_file: plusOne })], { limits: { max_body_bytes: 4096, max_rows: 100 } }),
  );
  const get = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    return { status: response.status, json: (await response.json()) as unknown };
  };

  it("says what is served, and that it is ready", async () => {
    expect((await get("/v2")).json).toEqual({
      name: "leeway",
      version: "0",
      extensions: ["binary_tensor_data", "model_repository", "statistics"],
    });
    expect((await get("/v2/health/live")).status).toBe(200);
    expect((await get("/v2/health/ready")).status).toBe(200);
    expect((await get("/v2/models/model/ready")).json).toEqual({ name: "model", ready: true });
    expect((await get("/v2/models/model/versions/1")).json).toEqual({
      name: "model",
      versions: ["1"],
      platform: "onnx_onnxv1",
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }],
    });
    expect((await post(`${url}/v2/repository/index`, { ready: true })).json).toEqual([
      { name: "model", version: "1", state: "READY", reason: "" },
    ]);
    expect((await fetch(`${url}/ping`)).status).toBe(200);
    expect((await get("/v1/models/model")).json).toMatchObject({
      ready: true,
      model_version_status: [{ version: "1", state: "AVAILABLE" }],
    });
  });

  it("counts in Triton's form", async () => {
    await post(`${url}/v2/models/model/infer`, infer([1, 2, 3, 4]));
    const { json } = await get("/v2/models/model/versions/1/stats");
    const [stats] = (
      json as {
        model_stats: {
          inference_count: number;
          execution_count: number;
          inference_stats: { success: { count: number; ns: number } };
        }[];
      }
    ).model_stats;
    expect(stats).toMatchObject({ name: "model", version: "1", inference_count: 2, execution_count: 1 });
    expect(stats?.inference_stats.success.count).toBe(1);
    expect(stats?.inference_stats.success.ns).toBeGreaterThan(0);
  });

  it("answers the outputs that are asked for, each in its form", async () => {
    const asked = { ...infer([1, 2]), outputs: [{ name: "y", parameters: { binary_data: true } }] };
    const response = await fetch(`${url}/v2/models/model/infer`, {
      method: "POST",
      body: JSON.stringify(asked),
    });
    const length = Number(response.headers.get("inference-header-content-length"));
    const body = Buffer.from(await response.arrayBuffer());
    expect(body.length - length).toBe(8);
    expect(body.readFloatLE(length + 4)).toBe(3);
  });

  it("takes the body as the only input when it is raw", async () => {
    const body = new Uint8Array(Float32Array.of(1, 2).buffer);
    const response = await fetch(`${url}/v2/models/model/infer`, {
      method: "POST",
      body,
      headers: { "inference-header-content-length": "0" },
    });
    expect(response.status).toBe(200);
    const length = Number(response.headers.get("inference-header-content-length"));
    expect(Buffer.from(await response.arrayBuffer()).readFloatLE(length)).toBe(2);
  });

  it.each([
    {
      what: "another model",
      path: "/v2/models/other/infer",
      body: infer([1, 2]),
      status: 404,
      says: /"other" is not served here: there is model/,
    },
    {
      what: "another version",
      path: "/v2/models/model/versions/9/infer",
      body: infer([1, 2]),
      status: 404,
      says: /version 9 is not served here: there are 1/,
    },
    {
      what: "another datatype",
      path: "/v2/models/model/infer",
      body: infer([1, 2], [1, 2], "INT64"),
      status: 400,
      says: /INT64 and the model takes FP32/,
    },
    {
      what: "a missing input",
      path: "/v2/models/model/infer",
      body: { inputs: [] },
      status: 400,
      says: /"x" is missing/,
    },
    {
      what: "an unknown input",
      path: "/v2/models/model/infer",
      body: { inputs: [{ name: "z", shape: [1], datatype: "FP32", data: [1] }] },
      status: 400,
      says: /no input "z"/,
    },
    {
      what: "an unknown output",
      path: "/v2/models/model/infer",
      body: { ...infer([1, 2]), outputs: [{ name: "z" }] },
      status: 400,
      says: /no output "z"/,
    },
    {
      what: "a shape of another size",
      path: "/v2/models/model/infer",
      body: infer([1, 2], [1, 3]),
      status: 400,
      says: /2 elements and a shape of 3/,
    },
    {
      what: "a shape beyond reason",
      path: "/v2/models/model/infer",
      body: infer([1, 2], [1e9, 2]),
      status: 400,
      says: /claims 2000000000 elements/,
    },
    { what: "no JSON", path: "/v2/models/model/infer", body: "[", status: 400, says: /not JSON/ },
    {
      what: "too many rows",
      path: "/v2/models/model/infer",
      body: infer(new Array(202).fill(0)),
      status: 413,
      says: /101 instances, and one request may hold 100: send fewer at once, or raise limits.max_rows/,
    },
    {
      what: "too long a body",
      path: "/v2/models/model/infer",
      body: infer(new Array(4000).fill(0)),
      status: 413,
      says: /longer than 4096 bytes/,
    },
    {
      what: "a change of the repository",
      path: "/v2/repository/models/model/load",
      body: {},
      status: 400,
      says: /leeway deploy/,
    },
    { what: "nowhere", path: "/v3", body: {}, status: 404, says: /\/invocations/ },
  ])("$what is refused with { error }", async ({ path, body, status, says }) => {
    const answer = await post(`${url}${path}`, body);
    expect(answer.json).toEqual({ error: expect.stringMatching(says) });
    expect(answer.status).toBe(status);
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
  });

  it.each([
    { headers: { "x-request-id": "r-1", "ce-id": "c-1" }, id: "b-1", is: "r-1" },
    { headers: { "ce-id": "c-1" }, id: "b-1", is: "c-1" },
    { headers: {}, id: "b-1", is: "b-1" },
    { headers: { "x-request-id": "no good id" }, id: undefined, is: /^[0-9a-f-]{36}$/ },
    { headers: {}, id: undefined, is: /^[0-9a-f-]{36}$/ },
  ])("the record's id with $headers and $id is $is", async ({ headers, id, is }) => {
    const answer = await post(
      `${url}/v2/models/model/infer`,
      { id, ...infer([1, 2]) },
      headers as Record<string, string>,
    );
    expect(answer.headers.get("x-leeway-record-id")).toMatch(is);
    expect((answer.json as { id?: string }).id).toBe(id);
  });
});
