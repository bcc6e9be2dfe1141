import { expect, it } from "vitest";
import { captureRows } from "../../deployer/replica/capture-rows.ts";
import { RecordWriter } from "../../deployer/replica/write-record.ts";
import type { Tensor } from "../../protocols/tensor.ts";
import type { ModelSignature } from "../../schema/signature.ts";

const matrix: Tensor = {
  name: "x",
  datatype: "FP32",
  shape: [2, 2],
  values: Float32Array.of(0.1, -0, 1e-30, 4),
};
const label: Tensor = { name: "label", datatype: "BYTES", shape: [2], values: ['say "hi"', "Ulm"] };
const odds: Tensor = {
  name: "p",
  datatype: "FP64",
  shape: [2, 2],
  values: [0.25, Number.NaN, Number.POSITIVE_INFINITY, 1],
};
const flag: Tensor = { name: "b", datatype: "BOOL", shape: [2, 1], values: [true, false] };

it.each<{ what: string; inputs: Tensor[]; outputs: Tensor[]; names: Partial<ModelSignature> }>([
  { what: "a matrix without names", inputs: [matrix], outputs: [label, odds], names: {} },
  {
    what: "a matrix with names",
    inputs: [matrix],
    outputs: [odds],
    names: { feature_names: ["age", "in come"] },
  },
  {
    what: "classes with names",
    inputs: [matrix],
    outputs: [label, odds],
    names: { class_labels: ["DOWN", 7] },
  },
  { what: "several inputs", inputs: [label, flag], outputs: [flag], names: {} },
])("$what: what is written at once is what is written the long way", ({ inputs, outputs, names }) => {
  const signature = { inputs: [], outputs: [], ...names };
  const writer = new RecordWriter(signature);
  const rows = captureRows(inputs, outputs, 2, signature);
  for (const [row, expected] of rows.entries()) {
    const written = [writer.inputs(inputs, row, 2), writer.outputs(outputs, row, 2)];
    expect(written.map((text) => JSON.parse(text ?? "null") as unknown)).toEqual(
      [expected.inputs, expected.outputs].map((cells) => JSON.parse(JSON.stringify(cells)) as unknown),
    );
  }
});

it.each<{ what: string; tensor: Tensor }>([
  { what: "an image", tensor: { name: "x", datatype: "FP32", shape: [1, 2, 2], values: [1, 2, 3, 4] } },
  {
    what: "a whole number of 64 bits",
    tensor: { name: "x", datatype: "INT64", shape: [1], values: [2n ** 60n] },
  },
  { what: "bytes", tensor: { name: "x", datatype: "BYTES", shape: [1], values: [Uint8Array.of(255)] } },
  {
    what: "a wide vector",
    tensor: { name: "x", datatype: "FP32", shape: [1, 300], values: new Float32Array(300) },
  },
])("$what is left to the long way", ({ tensor }) => {
  expect(new RecordWriter({ inputs: [], outputs: [] }).inputs([tensor], 0, 1)).toBeUndefined();
});
