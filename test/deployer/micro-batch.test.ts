import { afterAll, describe, expect, it } from "vitest";
import type { RawTensor } from "../../deployer/onnx/raw-tensor.ts";
import { MicroBatch } from "../../deployer/replica/micro-batch.ts";
import type { Replica } from "../../deployer/replica/replica.ts";
import { oneNode, onnxFile } from "./onnx-file.ts";
import { adding, failing, modelFolder, planned, planOf, post, replicaOn, slow } from "./replica-on.ts";

const folder = modelFolder();
const running: Replica[] = [];
afterAll(async () => {
  await Promise.all(running.map((replica) => replica.drain(0)));
  folder.remove();
});

const tensor = (...values: number[]): RawTensor => ({
  name: "x",
  datatype: "FP32",
  dims: [values.length, 1],
  data: Float32Array.from(values),
});
const valuesOf = (outputs: readonly RawTensor[]) => Array.from((outputs[0]?.data ?? []) as Float32Array);

/** Twice as much, of values that are not negative; it tells what it was asked. */
function doubling() {
  const asked: number[][] = [];
  const run = (inputs: readonly RawTensor[]) => {
    const values = valuesOf(inputs);
    asked.push(values);
    if (values.some((value) => value < 0)) throw new Error("negative");
    return { outputs: [tensor(...values.map((value) => value * 2))], runMs: 1 };
  };
  return { asked, run };
}

describe("requests of one moment", () => {
  it("are run at once, and each gets what is its own, in order", async () => {
    const { asked, run } = doubling();
    const batch = new MicroBatch({ max_rows: 4, max_delay_ms: 0 }, run);
    const ran = await Promise.all(
      [[1], [2, 3], [4], [5, 6], [7, 8, 9, 10, 11], [12]].map((rows) =>
        batch.run([tensor(...rows)], rows.length),
      ),
    );
    expect(ran.map(({ outputs }) => valuesOf(outputs))).toEqual([
      [2],
      [4, 6],
      [8],
      [10, 12],
      [14, 16, 18, 20, 22],
      [24],
    ]);
    expect(asked).toEqual([
      [1, 2, 3, 4],
      [7, 8, 9, 10, 11],
      [5, 6, 12],
    ]);
    expect(ran.reduce((sum, { runs }) => sum + runs, 0)).toBe(3);
  });

  it("fail one by one", async () => {
    const { run } = doubling();
    const batch = new MicroBatch({ max_rows: 10, max_delay_ms: 1 }, run);
    const ran = await Promise.allSettled([1, -1, 2].map((value) => batch.run([tensor(value)], 1)));
    expect(
      ran.map((each) => (each.status === "fulfilled" ? valuesOf(each.value.outputs) : each.reason.message)),
    ).toEqual([[2], "negative", [4]]);
  });
});

describe("a replica that batches", () => {
  it.each([
    { where: "on its own thread", model: adding(1), expected: (at: number) => [at + 1, 1] },
    { where: "in a thread of the model", model: slow(4_000), expected: undefined },
  ])("answers as one that does not, $where", async ({ where, model, expected }) => {
    const version = await planned({ model_file: folder.write(`${where}.onnx`, model) });
    const ask = (url: string, at: number) => post(`${url}/v1/models/model:predict`, { instances: [[at, 0]] });
    const start = async (more: object) => {
      const replica = await replicaOn(planOf([version], more));
      running.push(replica);
      return replica;
    };
    const batched = await start({ micro_batching: { max_rows: 16, max_delay_ms: 5 } });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => ask(batched.url, at)));
    const plain = await start({});
    for (const [at, { status, json }] of answers.entries()) {
      expect(status).toBe(200);
      if (expected) expect(json).toEqual({ predictions: [expected(at)] });
      else if (at % 8 === 0) expect(json).toEqual((await ask(plain.url, at)).json);
    }
    const counted = batched.state.counts["1"];
    expect(counted?.rows).toBe(40);
    expect(counted?.runs).toBeLessThan(30);
  });

  it("keeps the neighbours of a request that the model fails at, and of one that is none", async () => {
    const version = await planned({ model_file: folder.write("failing.onnx", failing()) });
    const replica = await replicaOn(
      planOf([version], { micro_batching: { max_rows: 32, max_delay_ms: 10 } }),
    );
    running.push(replica);
    const rows = [[0, 1], [-9, 0], [1, 1], [1], [1, 0]];
    const answers = await Promise.all(
      rows.map((row) => post(`${replica.url}/v1/models/model:predict`, { instances: [row] })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 500, 200, 400, 200]);
    expect(answers[2]?.json).toEqual({ predictions: [[2, 2]] });
    expect(answers[4]?.json).toEqual({ predictions: [[2, 1]] });
  });

  it("is refused for a model whose batch is not open", async () => {
    const fixed = onnxFile(oneNode({ op: "Identity", inputs: ["x"] }, [1, 2]));
    const version = await planned({ model_file: folder.write("fixed.onnx", fixed) });
    await expect(
      replicaOn(planOf([version], { micro_batching: { max_rows: 8, max_delay_ms: 0 } })),
    ).rejects.toThrow(
      "version 1 cannot be served: micro-batching needs a model whose inputs and outputs have an open first dimension",
    );
  });
});
