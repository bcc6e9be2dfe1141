import type { JsonValue } from "../../protocols/json.ts";
import { elementCount, type Tensor, type TensorValue } from "../../protocols/tensor.ts";
import { readElements } from "../../protocols/tensor-json.ts";
import type { ModelSample } from "../../schema/model-version.ts";

const TOLERANCE = 1e-4;

type SampleTensor = ModelSample["inputs"][number];

/** A tensor of a sample as the protocols have it. */
export function sampleTensor({ name, datatype, shape, data }: SampleTensor): Tensor {
  const count = elementCount(shape, data.length, name);
  return {
    name,
    datatype,
    shape,
    values: readElements({ data: data as JsonValue[], count, datatype, tensor: name }),
  };
}

/**
 * Why these outputs are not those of the sample; undefined when they are, within its tolerance.
 *
 * A float may be off by the tolerance absolutely or relatively, anything else not at all: a whole number may be a class.
 */
export function differenceFrom(
  { outputs = [], tolerance = TOLERANCE }: ModelSample,
  found: readonly Tensor[],
): string | undefined {
  for (const expected of outputs) {
    const tensor = found.find(({ name }) => name === expected.name);
    if (!tensor) return `it gives no output "${expected.name}"`;
    const { values } = sampleTensor(expected);
    if (values.length !== tensor.values.length)
      return `output "${expected.name}" has ${tensor.values.length} elements and ${values.length} were recorded`;
    for (let at = 0; at < values.length; at++) {
      const [want, got] = [values[at] as TensorValue, tensor.values[at] as TensorValue]; // within bounds
      if (!same(want, got, /^FP/.test(tensor.datatype) ? tolerance : 0))
        return `output "${expected.name}" is ${String(got)} at ${at} and ${String(want)} was recorded`;
    }
  }
  return undefined;
}

function same(want: TensorValue, got: TensorValue, tolerance: number): boolean {
  if (typeof want === "string" || want instanceof Uint8Array) return String(want) === String(got);
  if (typeof want === "bigint" && typeof got === "bigint") return want === got;
  const [a, b] = [Number(want), Number(got)];
  if (Object.is(a, b) || a === b) return true;
  return Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a));
}
