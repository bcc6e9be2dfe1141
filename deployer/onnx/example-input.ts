import type { TensorSpec } from "../../schema/signature.ts";
import type { RawTensor, RuntimeDatatype } from "./raw-tensor.ts";

/** Most elements of an input that is made up: a model that asks for more by its fixed dimensions is not run. */
const MOST_ELEMENTS = 64 * 1024 * 1024;

const ARRAYS = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

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
    const data = type === "BYTES" ? new Array<string>(count).fill("") : new ARRAYS[type](count);
    return { name, datatype: type, dims, data };
  });
}
