import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { modelInspector } from "../../deployer/inspect-model.ts";
import { checkModel } from "../../deployer/onnx/check-model.ts";
import type { ModelSample } from "../../schema/model-version.ts";
import { adding, modelFolder } from "./replica-on.ts";

const folder = modelFolder();
afterAll(() => folder.remove());
const plusOne = folder.write("plus-one.onnx", adding(1));

const sampleOf = (data: readonly number[], outputs?: readonly number[]): ModelSample => ({
  inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [...data] }],
  ...(outputs ? { outputs: [{ name: "y", datatype: "FP32", shape: [1, 2], data: [...outputs] }] } : {}),
});

describe("the sample of a model that is registered", () => {
  it.each<[string, ModelSample, object]>([
    [
      "without outputs has those recorded that the model gives",
      sampleOf([0, 1]),
      { verdict: "loads", sample_outputs: [{ name: "y", datatype: "FP32", shape: [1, 2], data: [1, 2] }] },
    ],
    ["with the outputs that it gives is taken", sampleOf([0, 1], [1, 2.00001]), { verdict: "loads" }],
    [
      "with others is refused",
      sampleOf([0, 1], [1, 3]),
      {
        verdict: "refused",
        reason: 'it does not answer its sample as that says: output "y" is 2 at 1 and 3 was recorded',
      },
    ],
    [
      "that it does not take is noted",
      { inputs: [{ name: "z", datatype: "FP32", shape: [1], data: [1] }] },
      { verdict: "loads", notes: [expect.stringMatching(/^its sample is not checked/)] },
    ],
  ])("%s", async (_, sample, found) => {
    expect(await checkModel(plusOne, join(folder.path, "served.onnx"), sample)).toMatchObject(found);
  });

  it("is answered in the process that looks at the file, and leaves nothing behind", async () => {
    const { path, remove } = modelFolder();
    const found = await modelInspector(path)(plusOne, { sample: sampleOf([0, 1]) });
    expect(found).toMatchObject({ verdict: "loads", sample_outputs: [{ data: [1, 2] }] });
    remove();
  });
});
