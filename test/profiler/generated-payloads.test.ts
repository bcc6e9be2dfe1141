import { describe, expect, it } from "vitest";
import { generatedPayloads } from "../../profiler/generated-payloads.ts";
import { modelSignature } from "../../schema/signature.ts";

const signature = modelSignature.parse({
  inputs: [
    { name: "x", datatype: "FP32", shape: ["batch", 4] },
    { name: "ids", datatype: "INT64", shape: [-1, "length"] },
    { name: "word", datatype: "BYTES", shape: [1, 2] },
    { name: "flag", datatype: "BOOL", shape: [] },
  ],
  outputs: [],
});
const parsed = (bodies: readonly Uint8Array[]) =>
  bodies.map((body) => JSON.parse(Buffer.from(body).toString()));

describe("bodies made up by a signature", () => {
  it("hold one instance of every input, of its type and shape", () => {
    const [body] = parsed(generatedPayloads(signature, { count: 3, seed: 1 }));
    const [x, ids, word, flag] = body.inputs;
    expect(x).toMatchObject({ name: "x", datatype: "FP32", shape: [1, 4] });
    expect(x.data).toHaveLength(4);
    expect(ids).toMatchObject({ shape: [1, 8] });
    expect(ids.data.every((value: number) => value === 0 || value === 1)).toBe(true);
    expect(word.data.every((value: unknown) => typeof value === "string")).toBe(true);
    expect(flag).toMatchObject({ shape: [], data: [expect.any(Boolean)] });
  });

  it("differ from one another, and are the same for the same seed", () => {
    const bodies = generatedPayloads(signature, { count: 3, seed: 1 });
    expect(bodies).toEqual(generatedPayloads(signature, { count: 3, seed: 1 }));
    expect(new Set(bodies.map(String)).size).toBe(3);
  });

  it("give way to an input that the model is known to take", () => {
    const sample = { inputs: [{ name: "x", datatype: "FP32" as const, shape: [1, 4], data: [1, 2, 3, 4] }] };
    expect(parsed(generatedPayloads(signature, { count: 3, seed: 1, sample }))).toEqual([
      { inputs: sample.inputs },
    ]);
  });
});
