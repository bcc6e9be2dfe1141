import type { FrameColumn, Layout } from "../store/frame.ts";

const FIRST_CAPACITY = 64;

/** A column of the rows being gathered. Values are appended for rising rows; a row passed over has none. */
abstract class ColumnBuilder {
  abstract readonly layout: Layout;
  count = 0;
  #present: Uint8Array | undefined;
  #lastRow = -1;

  /** Notes that `row` gets a value. */
  protected mark(row: number): void {
    if (this.#present === undefined) {
      if (this.count === row) {
        this.count++;
        this.#lastRow = row;
        return;
      }
      this.#present = bitmapOf(this.count, row);
    }
    const byte = row >> 3;
    if (byte >= this.#present.length) {
      const wider = new Uint8Array(Math.max(byte + 1, this.#present.length * 2));
      wider.set(this.#present);
      this.#present = wider;
    }
    this.#present[byte] = (this.#present[byte] as number) | (1 << (row & 7));
    this.count++;
    this.#lastRow = row;
  }

  /** Takes the value of `row` back if it is the last one. */
  undo(row: number): void {
    if (this.#lastRow !== row) return;
    this.#lastRow = -1;
    this.count--;
    if (this.#present) this.#present[row >> 3] = (this.#present[row >> 3] as number) & ~(1 << (row & 7));
    this.undoValue();
  }

  /** The column over the first `rows` rows. What it returns holds until the next append. */
  finish(column: string, rows: number, feature?: FrameColumn["feature"]): FrameColumn {
    let present = this.#present;
    if (this.count < rows) {
      const needed = (rows + 7) >> 3;
      if (!present) present = bitmapOf(this.count, rows);
      else if (present.length < needed) {
        const wider = new Uint8Array(needed);
        wider.set(present);
        present = wider;
      }
    } else present = undefined;
    return {
      column,
      layout: this.layout,
      ...(feature ? { feature } : {}),
      count: this.count,
      present,
      data: this.data(),
    };
  }

  /** Starts anew, keeping the memory unless far more was reserved than used. */
  reset(): void {
    const used = this.count;
    this.count = 0;
    this.#present = undefined;
    this.#lastRow = -1;
    this.resetValues(used);
  }

  protected abstract undoValue(): void;
  protected abstract data(): Uint8Array;
  protected abstract resetValues(used: number): void;
}

/** Bits for `rows` rows and room for one more byte, the first `count` of them set. */
function bitmapOf(count: number, rows: number): Uint8Array {
  const bits = new Uint8Array((Math.max(rows, FIRST_CAPACITY) >> 3) + 1);
  bits.fill(0xff, 0, count >> 3);
  bits[count >> 3] = (1 << (count & 7)) - 1;
  return bits;
}

/** Numbers as doubles. */
export class NumberColumn extends ColumnBuilder {
  override readonly layout = "f64";
  #values = new Float64Array(FIRST_CAPACITY);

  append(row: number, value: number): void {
    if (this.count === this.#values.length) this.#values = widened(this.#values, Float64Array);
    this.#values[this.count] = value;
    this.mark(row);
  }

  protected override undoValue(): void {}

  protected override data(): Uint8Array {
    return new Uint8Array(this.#values.buffer, 0, this.count * 8);
  }

  protected override resetValues(used: number): void {
    if (this.#values.length > FIRST_CAPACITY && used * 8 < this.#values.length)
      this.#values = new Float64Array(FIRST_CAPACITY);
  }
}

/** Whole numbers of 64 or 32 bits, given as 32-bit words. */
export class IntegerColumn extends ColumnBuilder {
  override readonly layout: "i64" | "i32";
  #words = new Uint32Array(FIRST_CAPACITY);
  #length = 0;
  constructor(layout: "i64" | "i32") {
    super();
    this.layout = layout;
  }

  append32(row: number, word: number): void {
    if (this.#length === this.#words.length) this.#words = widened(this.#words, Uint32Array);
    this.#words[this.#length++] = word;
    this.mark(row);
  }

  append64(row: number, high: number, low: number): void {
    if (this.#length + 2 > this.#words.length) this.#words = widened(this.#words, Uint32Array);
    this.#words[this.#length++] = low;
    this.#words[this.#length++] = high;
    this.mark(row);
  }

  protected override undoValue(): void {
    this.#length -= this.layout === "i64" ? 2 : 1;
  }

  protected override data(): Uint8Array {
    return new Uint8Array(this.#words.buffer, 0, this.#length * 4);
  }

  protected override resetValues(): void {
    if (this.#words.length > FIRST_CAPACITY && this.#length * 8 < this.#words.length)
      this.#words = new Uint32Array(FIRST_CAPACITY);
    this.#length = 0;
  }
}

/** Truth values, a byte each. */
export class BooleanColumn extends ColumnBuilder {
  override readonly layout = "bool";
  #values = new Uint8Array(FIRST_CAPACITY);

  append(row: number, value: 0 | 1): void {
    if (this.count === this.#values.length) this.#values = widened(this.#values, Uint8Array);
    this.#values[this.count] = value;
    this.mark(row);
  }

  protected override undoValue(): void {}

  protected override data(): Uint8Array {
    return this.#values.subarray(0, this.count);
  }

  protected override resetValues(used: number): void {
    if (this.#values.length > FIRST_CAPACITY && used * 8 < this.#values.length)
      this.#values = new Uint8Array(FIRST_CAPACITY);
  }
}

/** Texts or JSON, UTF-8 with the length before each. */
export class TextColumn extends ColumnBuilder {
  override readonly layout: "text" | "json";
  #bytes = new Uint8Array(FIRST_CAPACITY * 8);
  #length = 0;
  #lastStart = 0;
  constructor(layout: "text" | "json" = "text") {
    super();
    this.layout = layout;
  }

  append(row: number, source: Uint8Array, from: number, to: number): void {
    const size = to - from;
    let at = this.#length;
    if (at + 4 + size > this.#bytes.length) this.#widen(at + 4 + size);
    const bytes = this.#bytes;
    this.#lastStart = at;
    bytes[at] = size;
    bytes[at + 1] = size >>> 8;
    bytes[at + 2] = size >>> 16;
    bytes[at + 3] = size >>> 24;
    at += 4;
    if (size > 64) bytes.set(source.subarray(from, to), at);
    else for (let i = from; i < to; i++) bytes[at++] = source[i] as number;
    this.#length += 4 + size;
    this.mark(row);
  }

  protected override undoValue(): void {
    this.#length = this.#lastStart;
  }

  protected override data(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  protected override resetValues(): void {
    if (this.#bytes.length > FIRST_CAPACITY * 8 && this.#length * 8 < this.#bytes.length)
      this.#bytes = new Uint8Array(FIRST_CAPACITY * 8);
    this.#length = 0;
  }

  #widen(needed: number): void {
    const wider = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    wider.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = wider;
  }
}

function widened<T extends Float64Array | Uint32Array | Uint8Array>(
  values: T,
  make: new (length: number) => T,
): T {
  const wider = new make(values.length * 2);
  wider.set(values);
  return wider;
}
