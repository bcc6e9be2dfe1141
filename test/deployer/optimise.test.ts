import { existsSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { compareOutputs, type Parity } from "../../deployer/onnx/parity.ts";
import type { RawTensor } from "../../deployer/onnx/raw-tensor.ts";
import { judgeBlocks } from "../../deployer/onnx/speed.ts";
import { optimiseFile } from "../../deployer/optimise-file.ts";
import { oneNode, onnxFile } from "./onnx-file.ts";
import { modelFolder } from "./replica-on.ts";

const folder = modelFolder();
afterAll(() => folder.remove());

const floats = (...values: number[]): RawTensor => ({
  name: "y",
  datatype: "FP32",
  dims: [values.length],
  data: Float32Array.from(values),
});
const words = (...data: string[]): RawTensor => ({ name: "y", datatype: "BYTES", dims: [data.length], data });

describe("whether two files answer the same", () => {
  it.each<[string, readonly RawTensor[] | string, readonly RawTensor[] | string, RegExp | undefined]>([
    ["equal numbers", [floats(1, 2)], [floats(1, 2)], undefined],
    ["numbers within the tolerance", [floats(1, 2000)], [floats(1.00005, 2000.1)], undefined],
    ["numbers beyond it", [floats(1, 2)], [floats(1, 2.1)], /"y" is 2\.\d+ at 1 where it was 2/],
    ["the same nothing", [floats(Number.NaN)], [floats(Number.NaN)], undefined],
    ["nothing for a number", [floats(1)], [floats(Number.NaN)], /"y" is NaN/],
    ["one infinity", [floats(Number.POSITIVE_INFINITY)], [floats(Number.POSITIVE_INFINITY)], undefined],
    ["another infinity", [floats(Number.POSITIVE_INFINITY)], [floats(Number.NEGATIVE_INFINITY)], /Infinity/],
    ["another label", [words("a", "b")], [words("a", "c")], /"y" is c at 1 where it was b/],
    ["another shape", [floats(1, 2)], [floats(1)], /another type or shape/],
    ["an output that is gone", [floats(1)], [], /another type or shape/],
    ["what only one takes", [floats(1)], "it fails", /does not take what the other takes/],
  ])("%s", (_, before, after, says) => {
    const parity: Parity = { instances: 0, untaken: 0, largest_difference: 0, different: [] };
    compareOutputs(parity, { before, after, instances: 1, tolerance: 1e-4 });
    if (says) expect(parity.different.join()).toMatch(says);
    else expect(parity).toMatchObject({ instances: 1, different: [] });
  });
});

describe("which of two is faster", () => {
  const blocks = (count: number, before: number, after: number) =>
    Array.from({ length: count }, () => ({ before, after }));
  it.each([
    ["all blocks, by half", blocks(21, 2, 1), "faster"],
    ["all blocks, by double", blocks(21, 1, 2), "slower"],
    ["all blocks, by too little", blocks(21, 1.01, 1), "no difference"],
    ["most blocks", [...blocks(18, 2, 1), ...blocks(3, 1, 2)], "no difference"],
  ])("%s", (_, measured, verdict) => {
    expect(judgeBlocks(measured)).toMatchObject({ verdict });
  });

  it("has the same to say of both when they change places", () => {
    const time = fc.double({ min: 0.01, max: 100, noNaN: true });
    const opposite = { faster: "slower", slower: "faster", "no difference": "no difference" } as const;
    fc.assert(
      fc.property(
        fc.array(fc.record({ before: time, after: time }), { minLength: 21, maxLength: 21 }),
        (found) => {
          const there = judgeBlocks(found).verdict;
          const back = judgeBlocks(
            found.map(({ before, after }) => ({ before: after, after: before })),
          ).verdict;
          expect(back).toBe(opposite[there]);
        },
      ),
    );
  });
});

describe("a file made over", () => {
  it("answers the same, and is written without what was folded away", async () => {
    const path = folder.write(
      "fold.onnx",
      onnxFile({
        nodes: [
          { op: "Add", inputs: ["one", "one"], outputs: ["two"] },
          { op: "Mul", inputs: ["x", "two"], outputs: ["y"] },
        ],
        inputs: [{ name: "x", shape: ["n", 2] }],
        outputs: [{ name: "y", shape: ["n", 2] }],
        constants: [{ name: "one", type: 1, dims: [1], floats: [1] }],
      }),
    );
    const optimisedFile = join(folder.path, "folded.onnx");
    const sample = { inputs: [{ name: "x", datatype: "FP32" as const, shape: [1, 2], data: [1, 2] }] };
    const outcome = await optimiseFile(path, { optimisedFile, sample, folder: folder.path });
    expect(outcome).toMatchObject({
      verdict: "same",
      level: "extended",
      instances: 1 + 8 * 32,
      largest_difference: 0,
    });
    const again = await optimiseFile(optimisedFile, {
      optimisedFile: join(folder.path, "twice.onnx"),
      sample,
      folder: folder.path,
    });
    expect(again).toMatchObject({ verdict: "same" });
  });

  it("is refused with the reason when it cannot be", async () => {
    const optimisedFile = join(folder.path, "none.onnx");
    const path = folder.write("unknown.onnx", onnxFile(oneNode({ op: "NoSuchThing" })));
    const outcome = await optimiseFile(path, { optimisedFile, sample: undefined, folder: folder.path });
    expect(outcome).toMatchObject({ verdict: "refused", reason: expect.stringContaining("NoSuchThing") });
    expect(existsSync(optimisedFile)).toBe(false);
  });
});
