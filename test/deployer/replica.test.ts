import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Replica } from "../../deployer/replica/replica.ts";
import { readInference, writeInference } from "../../protocols/open-inference.ts";
import type { Datatype, TensorValue } from "../../protocols/tensor.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { oneNode, onnxFile } from "./onnx-file.ts";
import { modelFolder, planned, planOf, post, replicaOn } from "./replica-on.ts";

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

  it("whose outputs are as large as an input says: too large an answer is refused, and the next is given", async () => {
    const file = onnxFile({
      nodes: [{ op: "ConstantOfShape", inputs: ["x"], outputs: ["y"] }],
      inputs: [{ name: "x", type: 7, shape: [1] }],
      outputs: [{ name: "y", shape: ["n"] }],
    });
    const url = await serve(planOf([await planned({ model_file: folder.write("as-large.onnx", file) })]));
    const ask = (size: number) => post(`${url}/v2/models/model/infer`, infer([size], [1], "INT64"));
    const refused = await ask(2 ** 25 + 1);
    expect([refused.status, refused.json]).toEqual([
      413,
      { error: "the model gave 33554433 values, and at most 33554432 are answered: ask for less at once" },
    ]);
    expect((await ask(3)).json).toMatchObject({ outputs: [{ shape: [3], data: [0, 0, 0] }] });
    const negative = await ask(-1);
    expect([negative.status, typeof (negative.json as { error: unknown }).error]).toEqual([500, "string"]);
    expect((await ask(0)).json).toMatchObject({ outputs: [{ shape: [0], data: [] }] });
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
