import { describe, expect, it } from "vitest";
import { refinedSignature } from "../../registry/check-registration.ts";
import type { ModelSignature } from "../../schema/signature.ts";

type Names = Parameters<typeof refinedSignature>[1];

const matrix = (name: string, width: number) => ({ name, datatype: "FP32" as const, shape: [-1, width] });
const classifier: ModelSignature = {
  inputs: [matrix("X", 3)],
  outputs: [{ name: "label", datatype: "INT64", shape: [-1] }, matrix("probabilities", 3)],
};
const pair: ModelSignature = { inputs: [matrix("a", 1), matrix("b", 1)], outputs: [matrix("y", 1)] };
const open: ModelSignature = { inputs: [matrix("X", 3)], outputs: [matrix("p", -1)] };

describe("names given at registration", () => {
  it.each<[string, ModelSignature, Names]>([
    ["as many as there are columns", classifier, { feature_names: ["a", "b", "c"], class_labels: [0, 1, 2] }],
    ["two for the one column of a probability", pair, { class_labels: ["no", "yes"] }],
    ["any number for a width that is open", open, { class_labels: ["a", "b", "c", "d"] }],
  ])("are kept: %s", (_, found, names) => {
    expect(refinedSignature(found, names)).toMatchObject(names);
  });

  it.each<[ModelSignature, Names, string]>([
    [
      classifier,
      { feature_names: ["a", "b", "a"] },
      'feature_names has "a" twice: each column needs a name of its own',
    ],
    [
      classifier,
      { class_labels: [1, 2, 1] },
      'class_labels has "1" twice: each class needs a name of its own',
    ],
    [
      classifier,
      { class_labels: [1, 2, "1"] },
      'class_labels has "1" twice: each class needs a name of its own',
    ],
    [
      classifier,
      { class_labels: ["no", "yes"] },
      'class_labels has 2 names, but output "probabilities" of the model has 3 columns',
    ],
    [
      pair,
      { feature_names: ["a", "b"] },
      'feature_names are for the columns of one input matrix, and this model has 2 inputs, which have names already: "a", "b"',
    ],
  ])("that do not go with the model are refused: %#", (found, names, why) => {
    expect(() => refinedSignature(found, names)).toThrow(why);
  });
});
