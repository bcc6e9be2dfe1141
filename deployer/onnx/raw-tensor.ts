import { fromFloat16, toFloat16 } from "../../protocols/float16.ts";
import type { Datatype, Tensor, TensorValue } from "../../protocols/tensor.ts";
import { ServiceError } from "../../schema/errors.ts";

/** Element types as onnxruntime names them. */
export const RUNTIME_TYPE = {
  BOOL: "bool",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  BYTES: "string",
} as const satisfies Readonly<Partial<Record<Datatype, string>>>;

export type RuntimeDatatype = keyof typeof RUNTIME_TYPE;

const DATATYPE_OF: ReadonlyMap<string, RuntimeDatatype> = new Map(
  Object.entries(RUNTIME_TYPE).map(([datatype, type]) => [type, datatype as RuntimeDatatype]), // a key of the table
);

/** The datatype for what onnxruntime calls an element; undefined for one that is in no protocol, such as int4. */
export function datatypeOfRuntime(type: string): RuntimeDatatype | undefined {
  return DATATYPE_OF.get(type);
}

/** Element types by their number in an ONNX file. */
const ELEMENT_TYPES: readonly (RuntimeDatatype | undefined)[] = [
  undefined,
  "FP32",
  "UINT8",
  "INT8",
  "UINT16",
  "INT16",
  "INT32",
  "INT64",
  "BYTES",
  "BOOL",
  "FP16",
  "FP64",
  "UINT32",
  "UINT64",
];

/**
 * The datatype of the elements that an ONNX file has under a number; undefined for one that is in no protocol.
 *
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, TensorProto.DataType.
 */
export function datatypeOfElement(type: number): RuntimeDatatype | undefined {
  return ELEMENT_TYPES[type];
}

type NumberArray =
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** A tensor as it goes to onnxruntime and between threads. Half-precision words are in a `Uint16Array`. */
export interface RawTensor {
  readonly name: string;
  readonly datatype: RuntimeDatatype;
  readonly dims: readonly number[];
  readonly data: NumberArray | readonly string[];
}

/** What the elements of a tensor lie in, texts apart. Half-precision words are whole numbers here. */
export const ELEMENT_ARRAYS = {
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

/**
 * Elements as onnxruntime takes them. What is in an array of the right kind already is not copied.
 *
 * @throws ServiceError `invalid-input` for BYTES that are not UTF-8 or hold NUL: the runtime's strings are texts of C.
 */
export function rawTensor({ name, shape, values }: Tensor, datatype: RuntimeDatatype): RawTensor {
  return { name, datatype, dims: shape, data: dataOf(values, datatype, name) };
}

function dataOf(values: ArrayLike<TensorValue>, datatype: RuntimeDatatype, name: string): RawTensor["data"] {
  switch (datatype) {
    case "BYTES":
      return Array.from(values, (value) => {
        if (typeof value === "string" && !value.includes("\0")) return value;
        if (typeof value === "string")
          throw new ServiceError(
            "invalid-input",
            `tensor "${name}" holds a text with the character NUL, which the model runtime cannot take`,
          ); // it would end there
        throw new ServiceError("invalid-input", `tensor "${name}" holds bytes that are no UTF-8 text`);
      });
    case "BOOL":
      return Uint8Array.from(values, (value) => (value ? 1 : 0));
    case "INT64":
      if (values instanceof BigInt64Array) return values as BigInt64Array<ArrayBuffer>; // none of ours is shared
      return BigInt64Array.from(values, (value) => BigInt(value as number | bigint)); // of INT64, as the reader checked
    case "UINT64":
      if (values instanceof BigUint64Array) return values as BigUint64Array<ArrayBuffer>; // as above
      return BigUint64Array.from(values, (value) => BigInt(value as number | bigint)); // as above
    case "FP16":
      return Uint16Array.from(values as ArrayLike<number>, (value) => toFloat16(value)); // numbers, as the reader checked
    default: {
      const Kind = ELEMENT_ARRAYS[datatype];
      if (values instanceof Kind) return values as NumberArray; // none of ours is shared
      return Kind.from(values as ArrayLike<number>); // numbers, as the reader checked
    }
  }
}

/** What onnxruntime gave, as the protocols have it. */
export function tensorOf({ name, datatype, dims, data }: RawTensor): Tensor {
  return { name, datatype, shape: dims, values: valuesOf(datatype, data) };
}

function valuesOf(datatype: RuntimeDatatype, data: RawTensor["data"]): ArrayLike<TensorValue> {
  if (datatype === "BOOL") return Array.from(data as Uint8Array, (value) => value !== 0);
  if (datatype === "FP16") return Float32Array.from(data as Uint16Array, (word) => fromFloat16(word)); // words, see RawTensor
  return data;
}
