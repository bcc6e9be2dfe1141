import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Replica } from "../../deployer/replica/replica.ts";
import { readInference, writeInference } from "../../protocols/open-inference.ts";
import type { Datatype, TensorValue } from "../../protocols/tensor.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { oneNode, onnxFile } from "./onnx-file.ts";
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

const models = join(FIXTURES ?? "", "models");
const plusOne = folder.write("plus-one.onnx", adding(1));
const plusTwo = folder.write("plus-two.onnx", adding(2));
const infer = (
  values: readonly number[],
  shape: readonly number[] = [values.length / 2, 2],
  datatype = "FP32",
) => ({
  inputs: [{ name: "x", shape, datatype, data: values }],
});

describe.skipIf(!haveFixtures)(`golden rows (${haveFixtures ? "200 per model" : WITHOUT_FIXTURES})`, () => {
  const golden = haveFixtures
    ? (JSON.parse(readFileSync(join(models, "sklearn/golden.json"), "utf8")) as Record<
        string,
        { X: number[][]; label?: string[]; proba?: number[][]; y?: number[] }
      >)
    : {};

  it.each([
    { file: "elec2_rf.onnx", rows: "elec2_rf" },
    { file: "elec2_rf_zipmap.onnx", rows: "elec2_rf" },
    { file: "elec2_logreg.onnx", rows: "elec2_logreg" },
    { file: "bike_gbr.onnx", rows: "bike_gbr" },
  ])("$file answers them by each protocol", async ({ file, rows }) => {
    const version = await planned({ model_file: join(models, "sklearn", file) });
    const url = await serve(planOf([version]));
    const { X = [], label, proba, y } = golden[rows] ?? {};
    const expected = (proba ?? y?.map((value) => [value]) ?? []).flat();
    const close = (found: readonly number[] = []) => {
      expect(found).toHaveLength(expected.length);
      const worst = Math.max(
        ...found.map(
          (value, at) => Math.abs(value - (expected[at] ?? 0)) / Math.max(1, Math.abs(expected[at] ?? 0)),
        ),
      );
      expect(worst).toBeLessThan(label ? 1e-5 : 5e-4); // a sum of many trees in single precision
    };
    const tensor = {
      name: "X",
      datatype: "FP32" as Datatype,
      shape: [200, X[0]?.length ?? 0],
      values: X.flat(),
    };

    const v2 = await post(`${url}/v2/models/model/infer`, {
      inputs: [{ ...tensor, values: undefined, data: X }],
    });
    const outputs = (v2.json as { outputs: { data: (number | string)[] }[] }).outputs;
    close(outputs.at(-1)?.data as number[]);
    if (label) expect(outputs[0]?.data).toEqual(label);

    const sent = writeInference(
      { id: undefined, modelName: undefined, modelVersion: undefined, tensors: [tensor] },
      "inputs",
      "binary",
    );
    const binary = await fetch(`${url}/v2/models/model/versions/1/infer`, {
      method: "POST",
      body: sent.body as Uint8Array<ArrayBuffer>,
      headers: sent.headers,
    });
    expect(((await binary.json()) as { outputs: unknown }).outputs).toEqual(outputs);

    const v1 = await post(`${url}/v1/models/model:predict`, { instances: X });
    const mlflow = await post(`${url}/invocations`, {
      dataframe_split: { columns: X[0]?.map((_, at) => `c${at}`), data: X },
    });
    expect(mlflow.json).toEqual(v1.json);
    const { predictions } = v1.json as {
      predictions: (number[] | { label: string; probabilities: number[] | Record<string, number> })[];
    };
    close(predictions.flatMap((row) => (Array.isArray(row) ? row : Object.values(row.probabilities))));
  });
});

describe("datatypes", () => {
  it.each<{ datatype: Datatype; type: number; data: TensorValue[]; json?: unknown[] }>([
    { datatype: "FP16", type: 10, data: [0.5, -65504] },
    { datatype: "FP32", type: 1, data: [0.25, Math.fround(1e30)] },
    { datatype: "FP64", type: 11, data: [0.1, 1e300] },
    { datatype: "INT8", type: 3, data: [-128, 127] },
    { datatype: "INT16", type: 5, data: [-32768, 32767] },
    { datatype: "INT32", type: 6, data: [-1, 2 ** 31 - 1] },
    { datatype: "INT64", type: 7, data: [-(2n ** 63n), 2n ** 62n] },
    { datatype: "UINT8", type: 2, data: [0, 255] },
    { datatype: "UINT16", type: 4, data: [0, 65535] },
    { datatype: "UINT32", type: 12, data: [0, 2 ** 32 - 1] },
    { datatype: "UINT64", type: 13, data: [2n ** 64n - 1n, 1] },
    { datatype: "BOOL", type: 9, data: [true, false] },
    { datatype: "BYTES", type: 8, data: ["Ulm", "Zürich €"] },
  ])("$datatype comes back as it went, in JSON and in binary", async ({ datatype, type, data }) => {
    const value = { shape: ["n", 2], type };
    const file = onnxFile({
      nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
      inputs: [{ name: "x", ...value }],
      outputs: [{ name: "y", ...value }],
    });
    const url = await serve(planOf([await planned({ model_file: folder.write(`${datatype}.onnx`, file) })]));
    for (const form of ["json", "binary"] as const) {
      const message = {
        id: "a-1",
        modelName: undefined,
        modelVersion: undefined,
        tensors: [{ name: "x", datatype, shape: [1, 2], values: data }],
      };
      const { headers, body } = writeInference(message, "inputs", form);
      const asked =
        form === "json"
          ? body
          : new TextEncoder().encode(
              new TextDecoder()
                .decode(body.slice(0, Number(headers["inference-header-content-length"])))
                .replace(/\}$/, ',"parameters":{"binary_data_output":true}}'),
            );
      const whole =
        form === "json"
          ? body
          : Buffer.concat([asked, body.slice(Number(headers["inference-header-content-length"]))]);
      const sent =
        form === "json" ? headers : { ...headers, "inference-header-content-length": String(asked.length) };
      const response = await fetch(`${url}/v2/models/model/infer`, {
        method: "POST",
        headers: sent,
        body: whole as Uint8Array<ArrayBuffer>,
      });
      expect(response.status).toBe(200);
      const answer = readInference(
        { headers: Object.fromEntries(response.headers), body: new Uint8Array(await response.arrayBuffer()) },
        "outputs",
        { nesting: 64 },
      );
      expect(answer).toMatchObject({ id: "a-1", modelName: "model", modelVersion: "1" });
      const [output] = answer.tensors;
      expect({ ...output, values: Array.from(output?.values ?? [], plain) }).toEqual({
        name: "y",
        datatype,
        shape: [1, 2],
        values: data.map(plain),
      });
      expect(response.headers.has("inference-header-content-length")).toBe(form === "binary");
    }
  });
});

/** 64-bit integers come as numbers or bigints, by their size. */
function plain(value: TensorValue): TensorValue {
  return typeof value === "bigint" || typeof value === "number" ? String(value) : value;
}

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
      says: /101 instances, and one request may hold 100/,
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

describe("models of other shapes", () => {
  it("without a batch: one run per instance", async () => {
    const file = onnxFile({
      ...oneNode({ op: "Add", inputs: ["x", "w"] }, [1, 2]),
      constants: [{ name: "w", type: 1, dims: [2], floats: [1, 1] }],
    });
    const url = await serve(planOf([await planned({ model_file: folder.write("no-batch.onnx", file) })]));
    const answer = await post(`${url}/v1/models/model:predict`, {
      instances: [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    });
    expect(answer.json).toEqual({
      predictions: [
        [2, 3],
        [4, 5],
        [6, 7],
      ],
    });
    expect((await post(`${url}/v2/models/model/infer`, infer([1, 2], [1, 2]))).status).toBe(200);
    expect((await post(`${url}/v2/models/model/infer`, infer([1, 2, 3, 4], [2, 2]))).json).toEqual({
      error: 'input "x" is of shape [2,2] and the model takes [1, 2]',
    });
  });

  it("with several inputs, by name", async () => {
    const scalar = (name: string, type = 1) => ({ name, type, shape: ["n", 1] });
    const file = onnxFile({
      nodes: [
        { op: "Mul", inputs: ["age", "income"], outputs: ["score"] },
        { op: "Identity", inputs: ["town"], outputs: ["where"] },
      ],
      inputs: [scalar("age"), scalar("income"), scalar("town", 8)],
      outputs: [scalar("score"), scalar("where", 8)],
    });
    const url = await serve(planOf([await planned({ model_file: folder.write("several.onnx", file) })]));
    const rows = [
      { age: 2, income: 3, town: "Ulm" },
      { age: 4, income: 5, town: "Bern" },
    ];
    const predictions = [
      { score: [6], where: ["Ulm"] },
      { score: [20], where: ["Bern"] },
    ];
    expect((await post(`${url}/v1/models/model:predict`, { instances: rows })).json).toEqual({ predictions });
    expect((await post(`${url}/invocations`, { dataframe_records: rows })).json).toEqual({ predictions });
    const columns = { age: [2, 4], income: [3, 5], town: ["Ulm", "Bern"] };
    expect((await post(`${url}/v1/models/model:predict`, { inputs: columns })).json).toEqual({
      outputs: { score: [[6], [20]], where: [["Ulm"], ["Bern"]] },
    });
    const csv = await post(`${url}/invocations`, "age,income,town\n2,3,Ulm\n4,5,7\n", {
      "content-type": "text/csv",
    });
    expect(csv.json).toEqual({
      predictions: [
        { score: [6], where: ["Ulm"] },
        { score: [20], where: ["7"] },
      ],
    });
  });
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
    expect(answer.json).toEqual({ error: "the model took longer than 50 ms" });
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
      await replica.drain(5_000);
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
