import { afterAll, expect, it } from "vitest";
import { oneNode, onnxFile } from "./onnx-file.ts";
import { modelFolder, planned, planOf, post, replicaOn } from "./replica-on.ts";

const folder = modelFolder();
afterAll(() => folder.remove());

/** y = x + w, given as whole numbers of 32 bits or as floats. */
function plus(w: number, type: 1 | 6): Uint8Array {
  return onnxFile({
    ...oneNode({}),
    nodes: [
      { op: "Add", inputs: ["x", "w"], outputs: ["sum"] },
      { op: "Cast", inputs: ["sum"], outputs: ["y"], attributes: [{ name: "to", int: type }] },
    ],
    outputs: [{ name: "y", type, shape: ["n", 2] }],
    constants: [{ name: "w", type: 1, dims: [2], floats: [w, w] }],
  });
}

it.each([
  { of: "whole numbers of 32 bits that differ", type: 6, w: 2, agreed: 0, largest_difference: 0 },
  { of: "whole numbers that are the same", type: 6, w: 1.25, agreed: 1, largest_difference: 0 },
  { of: "floats that differ", type: 1, w: 1.25, agreed: 1, largest_difference: 0.25 },
  { of: "a float and NaN", type: 1, w: Number.NaN, agreed: 0, largest_difference: 0 },
] as const)("a shadow's answers are compared: $of", async ({ type, w, agreed, largest_difference }) => {
  const stable = await planned({ model_file: folder.write(`stable-${type}.onnx`, plus(1, type)) });
  const other = await planned({ model_file: folder.write("other.onnx", plus(w, type)), version: "2" });
  const replica = await replicaOn(planOf([stable], { shadow: { version: other, fraction: 1 } }));
  expect((await post(`${replica.url}/invocations`, [[1, 2]])).status).toBe(200);
  await replica.drain(0);
  expect(replica.state.shadow).toMatchObject({ scored: 1, agreed, largest_difference });
});

it("a version may shadow itself, and the replica still ends", async () => {
  const stable = await planned({ model_file: folder.write("self.onnx", plus(1, 1)) });
  const replica = await replicaOn(planOf([stable], { shadow: { version: stable, fraction: 1 } }));
  expect((await post(`${replica.url}/invocations`, [[1, 2]])).status).toBe(200);
  await replica.drain(0);
  expect(replica.state.shadow).toMatchObject({ scored: 1, agreed: 1 });
}, 5_000);
