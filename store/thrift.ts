/** Field types of Thrift's compact protocol that Parquet's metadata needs. */
const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

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

  #field(field: number, type: number): void {
    const step = field - this.#lastField;
    if (step < 1 || step > 15) throw new RangeError(`thrift field ${field} after ${this.#lastField}`);
    this.#byte((step << 4) | type);
    this.#lastField = field;
  }

  #list(field: number, type: number, length: number): void {
    this.#field(field, LIST);
    if (length < 15) this.#byte((length << 4) | type);
    else {
      this.#byte(0xf0 | type);
      this.#varint(length);
    }
  }

  #text(value: string): this {
    const text = Buffer.from(value);
    this.#varint(text.length);
    this.#reserve(text.length);
    this.#bytes.set(text, this.#length);
    this.#length += text.length;
    return this;
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
