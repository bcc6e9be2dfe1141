import { expect, it } from "vitest";
import { differenceFrom } from "../../deployer/replica/self-check.ts";
import type { ModelSample } from "../../schema/model-version.ts";

type Recorded = NonNullable<ModelSample["outputs"]>[number];
const sample = (recorded: Recorded): ModelSample => ({ inputs: [], outputs: [recorded] });

it.each([
  [
    "a class of a large number",
    "INT64",
    [20_000],
    BigInt64Array.of(20_001n),
    "is 20001 at 0 and 20000 was recorded",
  ],
  ["one in 32 bits", "INT32", [20_000], Int32Array.of(20_001), "is 20001 at 0 and 20000 was recorded"],
  ["a yes", "BOOL", [true], [false], "is false at 0 and true was recorded"],
] as const)(
  "%s that is another one is a difference, whatever the tolerance",
  (_, datatype, data, values, why) => {
    const shape = [1];
    const found = { name: "label", datatype, shape, values };
    expect(differenceFrom(sample({ name: "label", datatype, shape, data: [...data] }), [found])).toContain(
      why,
    );
  },
);

it.each([
  ["INT64", [20_000], BigInt64Array.of(20_000n)],
  ["BOOL", [true], [true]],
  ["FP32", [20_000], Float32Array.of(20_001)],
] as const)("%s within what is allowed is none", (datatype, data, values) => {
  const shape = [1];
  const found = { name: "y", datatype, shape, values };
  expect(differenceFrom(sample({ name: "y", datatype, shape, data: [...data] }), [found])).toBeUndefined();
});
