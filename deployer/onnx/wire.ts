import { PbfReader } from "pbf";

/** A field of a message: `at` its place in the message with its tag, `value` what it holds (nothing for a fixed-size number). */
export interface Field {
  readonly number: number;
  readonly value: number | Uint8Array | undefined;
  readonly at: { readonly from: number; readonly to: number };
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/**
 * Walks the fields of a Protocol Buffers message. Nothing is copied, and no length is believed that goes beyond the
 * message, which `PbfReader` alone would do.
 *
 * @throws RangeError when the bytes are no message.
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function eachField(message: Uint8Array, visit: (field: Field) => void): void {
  const reader = new PbfReader(message);
  while (reader.pos < message.length) {
    const from = reader.pos;
    const tag = readVarint(reader, from);
    const number = Math.floor(tag / 8);
    if (number <= 0) throw new RangeError(`a field without number at byte ${from}`);
    const value = readValue(reader, tag % 8, from);
    if (reader.pos > message.length) throw new RangeError(`the field at byte ${from} is cut off`);
    visit({ number, value, at: { from, to: reader.pos } });
  }
}

function readValue(reader: PbfReader, type: number, from: number): number | Uint8Array | undefined {
  switch (type) {
    case VARINT:
      return readVarint(reader, from);
    case BYTES: {
      const length = readVarint(reader, from);
      const start = reader.pos;
      if (length < 0 || start + length > reader.length)
        throw new RangeError(
          `the field at byte ${from} claims ${length} bytes and ${reader.length - start} are left`,
        );
      reader.pos = start + length;
      return reader.buf.subarray(start, start + length);
    }
    case FIXED64:
      reader.pos += 8;
      return undefined;
    case FIXED32:
      reader.pos += 4;
      return undefined;
    default:
      throw new RangeError(`the field at byte ${from} is of a kind that does not exist (${type})`);
  }
}

/** As a signed number of 64 bits: a length beyond 2^63 is negative, and refused as such. */
function readVarint(reader: PbfReader, from: number): number {
  try {
    return reader.readVarint(true);
  } catch {
    throw new RangeError(`the number at byte ${from} has too many digits`);
  }
}

/** A length-delimited field's content as text. @throws RangeError when the field is of another kind. */
export function textOf({ number, value }: Field): string {
  return new TextDecoder().decode(bytesOf({ number, value }));
}

/** @throws RangeError when the field is not length-delimited. */
export function bytesOf({ number, value }: Pick<Field, "number" | "value">): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new RangeError(`field ${number} holds a number where a message or text belongs`);
}

/** @throws RangeError when the field is no whole number. */
export function numberOf({ number, value }: Field): number {
  if (typeof value === "number") return value;
  throw new RangeError(`field ${number} holds no whole number`);
}

/** A whole number's field, or many packed into one. */
export function numbersOf(field: Field): number[] {
  if (typeof field.value === "number") return [field.value];
  const reader = new PbfReader(bytesOf(field));
  const numbers: number[] = [];
  while (reader.pos < reader.length) numbers.push(readVarint(reader, reader.pos));
  return numbers;
}
