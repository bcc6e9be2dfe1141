import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { inspectionLimits, modelInspector } from "../../deployer/inspect-model.ts";
import { checkModel } from "../../deployer/onnx/check-model.ts";
import { readModel } from "../../deployer/onnx/read-model.ts";
import { OnnxSession } from "../../deployer/onnx/session.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { oneNode, onnxFile } from "./onnx-file.ts";

const folder = mkdtempSync(join(tmpdir(), "leeway-inspect-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inspect = modelInspector(folder);
let files = 0;

function written(bytes: Uint8Array): string {
  const path = join(folder, `model-${files++}.onnx`);
  writeFileSync(path, bytes);
  return path;
}

const f = (name: string, ...shape: (number | string)[]) => ({ name, datatype: "FP32", shape });
const row = (name: string, width: number) => f(name, -1, width);
const elec2 = [{ name: "label", datatype: "BYTES", shape: [-1] }, row("probabilities", 2)];
const int64 = (name: string) => ({ name, datatype: "INT64", shape: ["batch", "max_seq_len_in_batch"] });

describe.skipIf(!haveFixtures)(`model files of others (${haveFixtures ? "all" : WITHOUT_FIXTURES})`, () => {
  it.each([
    {
      file: "bert_toy_int64_3in.onnx",
      inputs: [int64("input_ids"), int64("token_type_ids"), int64("input_mask")],
      outputs: [
        f("prediction_scores", "batch", "max_seq_len_in_batch", 99),
        f("seq_relationship_score", "batch", 2),
      ],
    },
    {
      file: "dynamic_axes.onnx",
      inputs: [f("input_vectors", "input_vectors_dynamic_axes_1", 10)],
      outputs: [f("output_scalars", "output_scalars_dynamic_axes_1")],
    },
    {
      file: "identity_string_2x2.onnx",
      inputs: [{ name: "input:0", datatype: "BYTES", shape: [2, 2] }],
      outputs: [{ name: "output:0", datatype: "BYTES", shape: [2, 2] }],
    },
    {
      file: "lenet1_mnist_dynbatch.onnx",
      inputs: [f("conv1_input", "N", 28, 28, 1)],
      outputs: [f("predictions", "N", 10)],
    },
    {
      file: "mlnet_encoder_float_and_string_in.onnx",
      inputs: [f("C0", 1, 1), { name: "C1", datatype: "BYTES", shape: [1, 3] }],
      outputs: [f("C00", 1, 1), f("C12", 1, 3, 4)],
    },
    { file: "mnist-8.onnx", inputs: [f("Input3", 1, 1, 28, 28)], outputs: [f("Plus214_Output_0", 1, 10)] },
    { file: "model_with_metadata.onnx", inputs: [f("X", 1, 3)], outputs: [f("Y", 1, 3)] },
    {
      file: "rf_iris_zipmap.onnx",
      inputs: [row("float_input", 4)],
      outputs: [{ name: "output_label", datatype: "INT64", shape: [1] }, row("output_probability", 3)],
      labels: [0, 1, 2],
    },
    {
      file: "types_float16.onnx",
      inputs: [{ name: "input", datatype: "FP16", shape: [1, 1, 1, 1] }],
      outputs: [{ name: "output", datatype: "FP16", shape: [1, 1, 1, 1] }],
    },
    {
      file: "types_int64.onnx",
      inputs: [{ name: "input", datatype: "INT64", shape: [1, 5] }],
      outputs: [{ name: "output", datatype: "INT64", shape: [1, 5] }],
    },
    {
      file: "voting_classifier_string_labels_zipmap.onnx",
      inputs: [row("input", 2)],
      outputs: [{ name: "output_label", datatype: "BYTES", shape: [-1] }, row("output_probability", 2)],
      labels: ["A", "B"],
    },
    { file: "xgb_regressor_4in.onnx", inputs: [row("X", 4)], outputs: [row("variable", 1)] },
    { file: "sklearn/bike_gbr.onnx", inputs: [row("X", 11)], outputs: [row("prediction", 1)] },
    { file: "sklearn/elec2_logreg.onnx", inputs: [row("X", 6)], outputs: elec2 },
    { file: "sklearn/elec2_rf.onnx", inputs: [row("X", 6)], outputs: elec2 },
    { file: "sklearn/elec2_rf_zipmap.onnx", inputs: [row("X", 6)], outputs: elec2, labels: ["DOWN", "UP"] },
  ])("$file loads", async ({ file, inputs, outputs, labels }) => {
    const path = join(FIXTURES ?? "", "models", file);
    const found = await checkModel(path, join(folder, `served-${files++}.onnx`));
    expect(found).toMatchObject({ verdict: "loads", signature: { inputs, outputs } });
    if (found.verdict !== "loads") return;
    expect(found.class_labels).toEqual(labels);
    expect(found.served_file === undefined).toBe(labels === undefined);
    if (labels === undefined) expect(found.notes).toEqual([]);
  });

  it("there are no others", () => {
    const models = join(FIXTURES ?? "", "models");
    const names = [...readdirSync(models), ...readdirSync(join(models, "sklearn"))];
    expect(names.filter((name) => name.endsWith(".onnx"))).toHaveLength(16);
  });

  it("a rewritten file gives the probabilities that the file without a ZipMap gives", async () => {
    const models = join(FIXTURES ?? "", "models/sklearn");
    const { elec2_rf } = JSON.parse(readFileSync(join(models, "golden.json"), "utf8")) as {
      elec2_rf: { X: number[][]; proba: number[][] };
    };
    const found = await inspect(join(models, "elec2_rf_zipmap.onnx"), {});
    const session = await OnnxSession.load((found as { served_file: string }).served_file, { threads: 1 });
    const x = {
      name: "X",
      datatype: "FP32",
      dims: [200, 6],
      data: Float32Array.from(elec2_rf.X.flat()),
    } as const;
    const [, probabilities] = await session.run([x]);
    expect(probabilities?.dims).toEqual([200, 2]);
    const worst = elec2_rf.proba.flat().map((p, at) => Math.abs(p - Number(probabilities?.data[at])));
    expect(Math.max(...worst)).toBeLessThan(1e-5);
  });
});

const external = (location: string) =>
  onnxFile({
    ...oneNode({ op: "Add", inputs: ["x", "w"] }),
    constants: [{ name: "w", type: 1, dims: [2], location }],
  });

const hugeConstant = onnxFile({
  nodes: [
    { op: "ReduceSum", inputs: ["x"], outputs: ["s"], attributes: [{ name: "keepdims", int: 0 }] },
    { op: "Cast", inputs: ["s"], outputs: ["zero"], attributes: [{ name: "to", int: 7 }] },
    { op: "Add", inputs: ["zero", "wide"], outputs: ["count"] },
    { op: "ConstantOfShape", inputs: ["count"], outputs: ["all"] },
    { op: "ReduceSum", inputs: ["all"], outputs: ["y"] },
  ],
  inputs: [{ name: "x", shape: [1] }],
  outputs: [{ name: "y", shape: ["k"] }],
  constants: [{ name: "wide", type: 7, dims: [1], ints: [1_000_000_000] }],
});

/** A loop that asks for more rounds than there is time. */
const endless = onnxFile({
  nodes: [
    {
      op: "Loop",
      inputs: ["rounds", "", "x"],
      outputs: ["y"],
      attributes: [
        {
          name: "body",
          graph: {
            nodes: [
              { op: "Identity", inputs: ["go"], outputs: ["go_on"] },
              { op: "Cos", inputs: ["v"], outputs: ["w"] },
            ],
            inputs: [
              { name: "i", type: 7, shape: [] },
              { name: "go", type: 9, shape: [] },
              { name: "v", shape: [2] },
            ],
            outputs: [
              { name: "go_on", type: 9, shape: [] },
              { name: "w", shape: [2] },
            ],
          },
        },
      ],
    },
  ],
  inputs: [{ name: "x", shape: [2] }],
  outputs: [{ name: "y", shape: [2] }],
  constants: [{ name: "rounds", type: 7, dims: [], ints: [2 ** 50] }],
});

const whole = onnxFile({
  ...oneNode({ op: "Add", inputs: ["x", "w"] }),
  constants: [{ name: "w", type: 1, dims: [2], floats: [1, 2] }],
});
const random = Uint8Array.from({ length: 5000 }, (_, at) => (at * 2_654_435_761) >>> 13);

describe("a file that is not to be served", () => {
  it.each([
    { what: "an empty file", bytes: new Uint8Array(), reason: /the file is empty/ },
    { what: "random bytes", bytes: random, reason: /no complete ONNX file/ },
    {
      what: "a file cut in the middle",
      bytes: whole.subarray(0, whole.length >> 1),
      reason: /no complete ONNX file: .*claims/,
    },
    { what: "a file without its last byte", bytes: whole.subarray(0, -1), reason: /no complete ONNX file/ },
    {
      what: "a text",
      bytes: new TextEncoder().encode("PK not a model at all"),
      reason: /no complete ONNX file/,
    },
    {
      what: "weights at an absolute path",
      bytes: external("/etc/passwd"),
      reason: /outside its folder \("\/etc\/passwd"\)/,
    },
    { what: "weights above its folder", bytes: external("a/../../secret.bin"), reason: /outside its folder/ },
    {
      what: "weights in a file that is not there",
      bytes: external("weights.bin"),
      reason: /"weights.bin".*save the model as one file/,
    },
    {
      what: "an operator nobody knows",
      bytes: onnxFile(oneNode({ op: "Frobnicate" })),
      reason: /onnxruntime refuses it: .*Frobnicate/,
    },
    {
      what: "an operator set of the future",
      bytes: onnxFile(oneNode({}), { "": 999 }),
      reason: /onnxruntime refuses it: .*[Oo]pset 999/,
    },
    {
      what: "a tensor that nothing makes",
      bytes: onnxFile(oneNode({ inputs: ["nothing"] })),
      reason: /onnxruntime refuses it: .*nothing/,
    },
    {
      what: "an input of absurd size",
      bytes: onnxFile(oneNode({}, [1_000_000, 1_000_000])),
      reason: /1000000000000 elements/,
    },
    {
      what: "an input with a shape that cannot be",
      bytes: onnxFile(oneNode({}, [2 ** 40, 2 ** 40])),
      reason: /elements|refuses/,
    },
    { what: "graphs within graphs", bytes: onnxFile(nested(100)), reason: /nested more than 32 deep/ },
  ])("$what is refused, and says why", async ({ bytes, reason }) => {
    const found = await inspect(written(bytes), {});
    expect(found.verdict).toBe("refused");
    expect((found as { reason: string }).reason).toMatch(reason);
    expect((found as { reason: string }).reason).not.toContain(folder);
  });

  it("one that takes gigabytes is refused, and the memory was bounded", async () => {
    const small = modelInspector(folder, { ...inspectionLimits, memoryBytes: 400 * 1024 ** 2 });
    const found = await small(written(hugeConstant), {});
    expect(found).toMatchObject({
      verdict: "refused",
      reason: expect.stringMatching(/more than 400 MiB|too much memory/),
    });
  });

  it("one that never ends is refused in time", async () => {
    const hasty = modelInspector(folder, { ...inspectionLimits, timeoutMs: 3_000 });
    expect(await hasty(written(endless), {})).toEqual({
      verdict: "refused",
      reason: "it was not loaded and run once within 3 s",
    });
  });

  it("a check that is called off ends at once", async () => {
    const calledOff = new AbortController();
    const found = inspect(written(endless), { signal: calledOff.signal });
    calledOff.abort();
    expect(await found).toEqual({ verdict: "refused", reason: "the check was called off" });
  });

  it("leaves no file behind", () => {
    const left = readdirSync(folder).filter((name) => name.startsWith("served-"));
    expect(left.length).toBeLessThanOrEqual(haveFixtures ? 4 : 0); // of the files with a ZipMap
  });
});

describe("reading a file without its weights", () => {
  it("never throws anything but a RangeError, wherever the file is cut or damaged", () => {
    for (let at = 0; at < whole.length; at++) {
      const damaged = whole.slice();
      damaged[at] = 255 - (damaged[at] ?? 0);
      for (const bytes of [whole.subarray(0, at), damaged]) {
        try {
          readModel(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }
    }
  });
});

function nested(depth: number): Parameters<typeof onnxFile>[0] {
  const graph = oneNode({});
  if (depth === 0) return graph;
  return {
    ...graph,
    nodes: [
      {
        op: "If",
        inputs: ["x"],
        outputs: ["y"],
        attributes: [{ name: "then_branch", graph: nested(depth - 1) }],
      },
    ],
  };
}
