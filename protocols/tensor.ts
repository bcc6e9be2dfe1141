import { ServiceError } from "../schema/errors.ts";

/** Datatypes of the Open Inference Protocol and bytes per element; BYTES elements have any length. */
export const datatypeBytes = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: undefined,
} as const satisfies Readonly<Record<string, number | undefined>>;

export type Datatype = keyof typeof datatypeBytes;

/** An element of BYTES is a text when it is UTF-8, and bytes when it is not. */
export type TensorValue = number | bigint | boolean | string | Uint8Array;

/** A tensor, its elements in row-major order. `values.length` is the product of `shape`; 1 for the shape `[]`. */
export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly values: ArrayLike<TensorValue>;
}

/** @throws ServiceError `invalid-input` for a name that is no datatype. */
export function datatypeOf(name: unknown, tensor: string): Datatype {
  if (typeof name === "string" && Object.hasOwn(datatypeBytes, name)) return name as Datatype; // a key of the table
  throw new ServiceError(
    "invalid-input",
    `tensor "${short(tensor)}" has no datatype that is known: ${short(name)}`,
  );
}

/**
 * The number of elements of a shape.
 *
 * @param shape - Lengths per dimension, outermost first, as a payload claims them.
 * @param most - Largest number that is believed; a claim beyond it is refused before anything is allocated.
 * @throws ServiceError `invalid-input` when it is no list of whole numbers >= 0, or the product is beyond `most`.
 * @example
 * elementCount([2, 3], 100, "x"); // 6
 */
export function elementCount(shape: unknown, most: number, tensor: string): number {
  if (!isShape(shape))
    throw new ServiceError(
      "invalid-input",
      `the shape of tensor "${short(tensor)}" is no list of whole numbers from 0: ${short(shape)}`,
    );
  // A dimension of 0 empties the tensor, whatever the others claim.
  const count = shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
  if (count > most)
    throw new ServiceError(
      "invalid-input",
      `tensor "${short(tensor)}" claims ${count} elements by its shape, and the payload has room for ${most}`,
    );
  return count;
}

function isShape(shape: unknown): shape is readonly number[] {
  return (
    Array.isArray(shape) &&
    shape.length <= MOST_DIMENSIONS &&
    shape.every((length) => Number.isSafeInteger(length) && length >= 0)
  );
}

/** NumPy allows as many. */
const MOST_DIMENSIONS = 64;

/** A value of a payload for a message: cut, since it may be megabytes. */
export function short(value: unknown): string {
  const text = typeof value === "string" ? value : value === undefined ? "nothing" : typeof value;
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
