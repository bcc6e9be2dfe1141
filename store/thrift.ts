/** Types of Thrift's compact protocol. A truth value in a struct has no bytes of its own: its type says it. */
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I32 = 5;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;

/** A value as it was read: whole numbers are bigints; texts, and the 8 bytes of a double, are bytes. */
export type ThriftValue = boolean | bigint | Uint8Array | ThriftList | ThriftStruct;

export interface ThriftList {
  readonly type: number;
  readonly items: readonly ThriftValue[];
}

/** Fields by their numbers. */
export type ThriftStruct = Map<number, { readonly type: number; readonly value: ThriftValue }>;

/**
 * Writes Thrift structs in the compact protocol, as Parquet's metadata is kept. Fields go in rising order of number.
 * @see https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
export class ThriftWriter {
  #bytes = new Uint8Array(256);
  #length = 0;
  #lastField = 0;

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  i32(field: number, value: number): this {
    this.#field(field, I32);
    return this.#zigzag(value);
  }

  i64(field: number, value: number): this {
    this.#field(field, I64);
    return this.#zigzag(value);
  }

  text(field: number, value: string): this {
    this.#field(field, BINARY);
    return this.#text(value);
  }

  struct(field: number, write: (struct: this) => unknown): this {
    this.#field(field, STRUCT);
    return this.item(write);
  }

  structs<T>(field: number, items: readonly T[], write: (struct: this, item: T) => unknown): this {
    this.#list(field, STRUCT, items.length);
    for (const item of items) this.item((struct) => write(struct, item));
    return this;
  }

  i32s(field: number, values: readonly number[]): this {
    this.#list(field, I32, values.length);
    for (const value of values) this.#zigzag(value);
    return this;
  }

  texts(field: number, values: readonly string[]): this {
    this.#list(field, BINARY, values.length);
    for (const value of values) this.#text(value);
    return this;
  }

  /** A struct that stands alone or in a list. */
  item(write: (struct: this) => unknown): this {
    const outer = this.#lastField;
    this.#lastField = 0;
    write(this);
    this.#byte(0);
    this.#lastField = outer;
    return this;
  }

  /** The fields of a struct that was read. */
  fields(struct: ThriftStruct): this {
    for (const [field, { type, value }] of struct) {
      this.#field(field, typeof value === "boolean" ? (value ? TRUE : FALSE) : type);
      if (typeof value !== "boolean") this.#value(type, value);
    }
    return this;
  }

  #value(type: number, value: ThriftValue): void {
    if (value instanceof Map) this.item((struct) => struct.fields(value));
    else if (value instanceof Uint8Array) {
      if (type === BINARY) this.#varint(value.length);
      this.#raw(value);
    } else if (typeof value === "boolean") this.#byte(value ? TRUE : FALSE);
    else if (typeof value === "bigint") {
      if (type === BYTE) this.#byte(Number(value));
      else this.#bigVarint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
    } else {
      this.#listHead(value.type, value.items.length);
      for (const item of value.items) this.#value(value.type, item);
    }
  }

  #field(field: number, type: number): void {
    const step = field - this.#lastField;
    if (step < 1) throw new RangeError(`thrift field ${field} after ${this.#lastField}`);
    this.#byte(step > 15 ? type : (step << 4) | type);
    if (step > 15) this.#zigzag(field);
    this.#lastField = field;
  }

  #list(field: number, type: number, length: number): void {
    this.#field(field, LIST);
    this.#listHead(type, length);
  }

  #listHead(type: number, length: number): void {
    if (length < 15) this.#byte((length << 4) | type);
    else {
      this.#byte(0xf0 | type);
      this.#varint(length);
    }
  }

  #text(value: string): this {
    const text = Buffer.from(value);
    this.#varint(text.length);
    this.#raw(text);
    return this;
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #zigzag(value: number): this {
    this.#varint(value < 0 ? -2 * value - 1 : 2 * value);
    return this;
  }

  #varint(value: number): void {
    let left = value;
    while (left >= 128) {
      this.#byte((left % 128) | 128);
      left = Math.floor(left / 128);
    }
    this.#byte(left);
  }

  #bigVarint(value: bigint): void {
    let left = value;
    for (; left >= 128n; left >>= 7n) this.#byte(Number(left & 127n) | 128);
    this.#byte(Number(left));
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const wider = new Uint8Array(Math.max(this.#length + more, this.#bytes.length * 2));
    wider.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = wider;
  }
}

/** Nothing that is read is nested deeper: what claims to be is damaged. */
const MOST_DEPTH = 64;

/**
 * Reads the struct at `start`, whatever its fields are, and says where it ends.
 * @throws RangeError when the bytes are no struct.
 */
export function readThrift(
  bytes: Uint8Array,
  start = 0,
): { readonly struct: ThriftStruct; readonly end: number } {
  const reader = new ThriftReader(bytes, start);
  const struct = reader.struct(0);
  return { struct, end: reader.at };
}

class ThriftReader {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.at = start;
  }

  struct(depth: number): ThriftStruct {
    if (depth > MOST_DEPTH) throw new RangeError("thrift structs are nested too deeply");
    const fields: ThriftStruct = new Map();
    let field = 0;
    for (;;) {
      const head = this.#byte();
      const type = head & 15;
      if (type === 0) return fields;
      field = head >> 4 === 0 ? Number(this.#signed()) : field + (head >> 4);
      const value = type === TRUE ? true : type === FALSE ? false : this.#value(type, depth);
      fields.set(field, { type, value });
    }
  }

  #value(type: number, depth: number): ThriftValue {
    switch (type) {
      case TRUE:
      case FALSE:
        return this.#byte() === TRUE; // in a list
      case BYTE:
        return BigInt(this.#byte());
      case I16:
      case I32:
      case I64:
        return this.#signed();
      case DOUBLE:
        return this.#take(8);
      case BINARY:
        return this.#take(Number(this.#varint()));
      case LIST:
      case SET:
        return this.#list(depth);
      case STRUCT:
        return this.struct(depth + 1);
      default:
        throw new RangeError(`thrift type ${type}`);
    }
  }

  #list(depth: number): ThriftList {
    if (depth > MOST_DEPTH) throw new RangeError("thrift lists are nested too deeply");
    const head = this.#byte();
    const length = head >> 4 === 15 ? Number(this.#varint()) : head >> 4;
    if (length > this.#bytes.length - this.at) throw new RangeError(`a thrift list of ${length}`);
    const type = head & 15;
    return { type, items: Array.from({ length }, () => this.#value(type, depth + 1)) };
  }

  #signed(): bigint {
    const value = this.#varint();
    return (value >> 1n) ^ -(value & 1n);
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new RangeError("a thrift number of more than 64 bits");
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.at) throw new RangeError("thrift bytes end too early");
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  #byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new RangeError("thrift bytes end too early");
    return byte;
  }
}
