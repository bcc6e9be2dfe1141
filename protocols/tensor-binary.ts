import { ServiceError } from "../schema/errors.ts";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "./float16.ts";
import { type Datatype, datatypeBytes, short, type TensorValue } from "./tensor.ts";

/**
 * The elements of a tensor in raw little-endian form, row-major.
 *
 * A BYTES element is a 32-bit length and as many bytes; BOOL is one byte, 0 or not. 64-bit integers come as a
 * `BigInt64Array` or `BigUint64Array`.
 *
 * @param bytes - Exactly the tensor's bytes.
 * @param count - Product of the shape; no more is allocated than `bytes` have room for.
 * @throws ServiceError `invalid-input` when the number of bytes does not go with count and datatype.
 * @see triton-inference-server/server, docs/protocol/extension_binary_data.md.
 * @example
 * readBinary({ bytes: Uint8Array.of(1, 0, 2, 0), count: 2, datatype: "INT16", tensor: "x" }); // Int16Array [1, 2]
 */
export function readBinary(from: {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly datatype: Datatype;
  readonly tensor: string;
}): ArrayLike<TensorValue> {
  const { bytes, count, datatype, tensor } = from;
  if (datatype === "BYTES") return readByteElements(bytes, count, tensor);
  const needed = count * datatypeBytes[datatype];
  if (bytes.length !== needed)
    throw new ServiceError(
      "invalid-input",
      `tensor "${short(tensor)}" has ${bytes.length} bytes and ${count} elements of ${datatype} take ${needed}`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (datatype) {
    case "BOOL":
      return Array.from(bytes, (byte) => byte !== 0);
    case "UINT8":
      return bytes;
    case "INT8":
      return fill(new Int8Array(count), (at) => view.getInt8(at));
    case "UINT16":
      return fill(new Uint16Array(count), (at) => view.getUint16(2 * at, true));
    case "INT16":
      return fill(new Int16Array(count), (at) => view.getInt16(2 * at, true));
    case "FP16":
      return fill(new Float32Array(count), (at) => fromFloat16(view.getUint16(2 * at, true)));
    case "BF16":
      return fill(new Float32Array(count), (at) => fromBfloat16(view.getUint16(2 * at, true)));
    case "UINT32":
      return fill(new Uint32Array(count), (at) => view.getUint32(4 * at, true));
    case "INT32":
      return fill(new Int32Array(count), (at) => view.getInt32(4 * at, true));
    case "FP32":
      return fill(new Float32Array(count), (at) => view.getFloat32(4 * at, true));
    case "FP64":
      return fill(new Float64Array(count), (at) => view.getFloat64(8 * at, true));
    case "UINT64":
      return fill(new BigUint64Array(count), (at) => view.getBigUint64(8 * at, true));
    case "INT64":
      return fill(new BigInt64Array(count), (at) => view.getBigInt64(8 * at, true));
  }
}

function fill<V, A extends { [at: number]: V; readonly length: number }>(
  target: A,
  read: (at: number) => V,
): A {
  for (let at = 0; at < target.length; at++) target[at] = read(at);
  return target;
}

function readByteElements(bytes: Uint8Array, count: number, tensor: string): (string | Uint8Array)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: (string | Uint8Array)[] = [];
  let at = 0;
  while (values.length < count && at + 4 <= bytes.length) {
    const end = at + 4 + view.getUint32(at, true);
    if (end > bytes.length) break;
    values.push(textOrBytes(bytes.subarray(at + 4, end)));
    at = end;
  }
  if (values.length < count || at !== bytes.length)
    throw new ServiceError(
      "invalid-input",
      `tensor "${short(tensor)}" of BYTES: its ${bytes.length} bytes are not ${count} elements`,
    );
  return values;
}

/** Text where the bytes are UTF-8, otherwise a copy of the bytes. */
export function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes.slice();
  }
}

/**
 * Elements in raw little-endian form: what `readBinary` reads.
 *
 * @throws TypeError when an element is not of the datatype: a text among numbers.
 * @example
 * writeBinary("INT16", [1, 2]); // Uint8Array [1, 0, 2, 0]
 */
export function writeBinary(datatype: Datatype, values: ArrayLike<TensorValue>): Uint8Array {
  if (datatype === "BYTES") return writeByteElements(values);
  const bytes = new Uint8Array(values.length * datatypeBytes[datatype]);
  const view = new DataView(bytes.buffer);
  const write = WRITERS[datatype];
  for (let at = 0; at < values.length; at++) {
    const value = values[at] as TensorValue; // within bounds
    if (typeof value === "string" || value instanceof Uint8Array)
      throw new TypeError(`a text cannot be an element of ${datatype}`);
    write(view, at, value);
  }
  return bytes;
}

type Scalar = number | bigint | boolean;

const WRITERS: Readonly<
  Record<Exclude<Datatype, "BYTES">, (view: DataView, at: number, value: Scalar) => void>
> = {
  BOOL: (view, at, value) => view.setUint8(at, value ? 1 : 0),
  UINT8: (view, at, value) => view.setUint8(at, Number(value)),
  INT8: (view, at, value) => view.setInt8(at, Number(value)),
  UINT16: (view, at, value) => view.setUint16(2 * at, Number(value), true),
  INT16: (view, at, value) => view.setInt16(2 * at, Number(value), true),
  FP16: (view, at, value) => view.setUint16(2 * at, toFloat16(Number(value)), true),
  BF16: (view, at, value) => view.setUint16(2 * at, toBfloat16(Number(value)), true),
  UINT32: (view, at, value) => view.setUint32(4 * at, Number(value), true),
  INT32: (view, at, value) => view.setInt32(4 * at, Number(value), true),
  FP32: (view, at, value) => view.setFloat32(4 * at, Number(value), true),
  FP64: (view, at, value) => view.setFloat64(8 * at, Number(value), true),
  UINT64: (view, at, value) => view.setBigUint64(8 * at, BigInt(value), true),
  INT64: (view, at, value) => view.setBigInt64(8 * at, BigInt(value), true),
};

function writeByteElements(values: ArrayLike<TensorValue>): Uint8Array {
  const elements = Array.from(values, (value) =>
    value instanceof Uint8Array ? value : new TextEncoder().encode(String(value)),
  );
  const bytes = new Uint8Array(elements.reduce((sum, element) => sum + 4 + element.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const element of elements) {
    view.setUint32(at, element.length, true);
    bytes.set(element, at + 4);
    at += 4 + element.length;
  }
  return bytes;
}
