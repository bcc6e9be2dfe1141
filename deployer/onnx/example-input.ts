import type { TensorSpec } from "../../schema/signature.ts";
import { ELEMENT_ARRAYS, type RawTensor, type RuntimeDatatype } from "./raw-tensor.ts";

/** Most elements of an input that is made up: a model that asks for more by its fixed dimensions is not run. */
const MOST_ELEMENTS = 64 * 1024 * 1024;

/** The input's shape with numbers for what is left open: `batch` for the first dimension, 1 for any other. */
function closedShape(shape: TensorSpec["shape"], batch: number): number[] {
  return shape.map((length, at) =>
    typeof length === "number" && length >= 0 ? length : at === 0 ? batch : 1,
  );
}

/** Whether the first dimension of every input is open and so may be a batch of any size. */
export function takesBatches(inputs: readonly TensorSpec[]): boolean {
  return inputs.length > 0 && inputs.every(({ shape: [first] }) => typeof first === "string" || first === -1);
}

/**
 * Zeros (and empty texts) in the shape of the inputs, to run a model for which there is no sample.
 *
 * @throws RangeError when the fixed dimensions alone ask for more than 64 Mi elements.
 */
export function zeroInputs(inputs: readonly TensorSpec[], batch: number): RawTensor[] {
  return inputs.map(({ name, datatype, shape }) => {
    const dims = closedShape(shape, batch);
    const count = dims.reduce((product, length) => product * length, 1);
    if (!(count <= MOST_ELEMENTS))
      throw new RangeError(
        `input "${name}" of shape [${shape.join(", ")}] takes ${count} elements, and at most ${MOST_ELEMENTS} are tried`,
      );
    const type = datatype as RuntimeDatatype; // of a loaded model
    const data = type === "BYTES" ? new Array<string>(count).fill("") : new ELEMENT_ARRAYS[type](count);
    return { name, datatype: type, dims, data };
  });
}
