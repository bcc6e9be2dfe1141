import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Replica } from "../../deployer/replica/replica.ts";
import { oneNode, onnxFile } from "./onnx-file.ts";
import { adding, modelFolder, planned, planOf, post, replicaOn } from "./replica-on.ts";

const folder = modelFolder();
const replicas: Replica[] = [];
let nameless = "";
let named = "";
let texts = "";

beforeAll(async () => {
  const file = folder.write("plus-one.onnx", adding(1));
  nameless = await serve(planOf([await planned({ model_file: file })]));
  named = await serve(planOf([await planned({ model_file: file }, { feature_names: ["age", "income"] })]));
  const echo = folder.write(
    "echo.onnx",
    onnxFile({
      ...oneNode({ op: "Identity" }),
      inputs: [{ name: "x", type: 8, shape: ["n", 1] }],
      outputs: [{ name: "y", type: 8, shape: ["n", 1] }],
    }),
  );
  texts = await serve(planOf([await planned({ model_file: echo })]));
});
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.drain(0)));
  folder.remove();
});

async function serve(plan: Parameters<typeof replicaOn>[0]): Promise<string> {
  const replica = await replicaOn(plan);
  replicas.push(replica);
  return replica.url;
}

describe("columns of a model without feature names", () => {
  it("are taken in the order of dataframe_split, whatever they are called", async () => {
    const split = { columns: ["income", "2020"], data: [[10, 20]] };
    expect((await post(`${nameless}/invocations`, { dataframe_split: split })).json).toEqual({
      predictions: [[11, 21]],
    });
  });

  it("may be called by their positions", async () => {
    expect((await post(`${nameless}/invocations`, [{ 0: 10, 1: 20 }])).json).toEqual({
      predictions: [[11, 21]],
    });
  });

  it.each([
    ["an object", '[{"income": 10, "2020": 20}]'],
    ["columns", '{"inputs": {"income": [10], "2020": [20]}}'],
  ])("are refused where JSON does not keep their order: %s", async (_, body) => {
    expect(await post(`${nameless}/invocations`, body)).toMatchObject({
      status: 400,
      json: {
        message:
          'the order of columns called by numbers ("2020") is lost in JSON objects: register the model with feature_names, or send lists of values',
      },
    });
  });

  it("are counted where they are not as many as the model takes", async () => {
    expect((await post(`${nameless}/invocations`, [{ a: 1, b: 2, c: 3 }])).json).toMatchObject({
      message:
        'row 0 has 3 columns and input "x" of the model takes 2: send as many, or {"x": [...]} with all values of a row',
    });
  });
});

describe("what is said twice", () => {
  it("a column of dataframe_split", async () => {
    const split = { columns: ["age", "income", "age"], data: [[1, 2, 3]] };
    expect(await post(`${named}/invocations`, { dataframe_split: split })).toMatchObject({
      status: 400,
      json: { message: 'dataframe_split has the column "age" twice' },
    });
  });

  it("an input of a V2 request", async () => {
    const x = { name: "x", shape: [1, 2], datatype: "FP32", data: [1, 2] };
    expect(await post(`${named}/v2/models/model/infer`, { inputs: [x, x] })).toMatchObject({
      status: 400,
      json: { error: 'input "x" comes twice' },
    });
  });
});

it("a text that the runtime would cut off at its NUL character is refused, not changed", async () => {
  expect((await post(`${texts}/invocations`, { instances: [["Ulm"]] })).json).toEqual({
    predictions: [["Ulm"]],
  });
  expect(await post(`${texts}/invocations`, { instances: [["Ulm\0Bern"]] })).toMatchObject({
    status: 400,
    json: { message: 'tensor "x" holds a text with the character NUL, which the model runtime cannot take' },
  });
});
