import { columnNames } from "../../protocols/column-names.ts";
import { classOutput } from "../../protocols/model-answer.ts";
import type { Tensor, TensorValue } from "../../protocols/tensor.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import type { Frame, FrameColumn } from "../../store/frame.ts";

type Kind = "f64" | "i64" | "bool" | "text";
type Values = Float64Array | BigInt64Array | Uint8Array | string[];

interface PredictionColumn {
  readonly column: string;
  readonly kind: Kind;
  readonly values: Values;
}

/** Predictions for some rows that follow each other, column by column. */
export class PredictionColumns {
  readonly #rows: number;
  readonly #taken: ReadonlySet<string>;
  readonly #signature: ModelSignature;
  readonly #columns = new Map<string, PredictionColumn>();

  /**
   * @param taken - Columns of the table: a prediction of such a name is called `predicted_…`.
   */
  constructor(rows: number, signature: ModelSignature, taken: readonly string[]) {
    this.#rows = rows;
    this.#signature = signature;
    this.#taken = new Set(taken);
  }

  /**
   * Puts the outputs for the rows from `from` on into place.
   * @throws ServiceError `invalid-input` for an output that is neither a vector nor a matrix of those rows.
   */
  put(outputs: readonly Tensor[], from: number, rows: number): void {
    const classes = classOutput(outputs, this.#signature);
    for (const tensor of outputs) {
      const { name, shape, values } = tensor;
      if (shape.length > 2 || (shape[0] ?? 1) !== rows)
        throw new ServiceError(
          "invalid-input",
          `output "${name}" is of shape [${shape}] for ${rows} rows: only one value or a row of values for each becomes columns`,
        );
      const width = shape[1] ?? 1;
      const labels =
        name === classes ? this.#signature.class_labels?.map((label) => `${name}_${label}`) : undefined;
      columnNames(name, width, labels).forEach((column, at) => {
        const into = this.#columnOf(column, kindOf(tensor)).values;
        copy(values, { at, width, rows }, into, from);
      });
    }
  }

  /** As rows to be written. */
  frame(): Frame {
    const columns = [...this.#columns.values()].map(frameColumn);
    return { kind: "records", model: "predictions", rows: this.#rows, columns };
  }

  #columnOf(name: string, kind: Kind): PredictionColumn {
    const column = this.#taken.has(name) ? `predicted_${name}` : name;
    const known = this.#columns.get(column);
    if (known) return known;
    const made = { column, kind, values: valuesFor(kind, this.#rows) };
    this.#columns.set(column, made);
    return made;
  }
}

function kindOf({ datatype }: Tensor): Kind {
  if (datatype === "BYTES") return "text";
  if (datatype === "BOOL") return "bool";
  return /INT/.test(datatype) ? "i64" : "f64";
}

function valuesFor(kind: Kind, rows: number): Values {
  if (kind === "f64") return new Float64Array(rows);
  if (kind === "i64") return new BigInt64Array(rows);
  return kind === "bool" ? new Uint8Array(rows) : new Array<string>(rows);
}

/** Copies column `at` of `rows` rows of a matrix to `into` from `from` on; the kinds go together, see `kindOf`. */
function copy(
  values: ArrayLike<TensorValue>,
  { at, width, rows }: { readonly at: number; readonly width: number; readonly rows: number },
  into: Values,
  from: number,
): void {
  if (into instanceof Float64Array) {
    const numbers = values as ArrayLike<number>;
    for (let row = 0; row < rows; row++) into[from + row] = numbers[row * width + at] as number;
  } else if (into instanceof BigInt64Array && values instanceof BigInt64Array && width === 1) {
    into.set(values, from);
  } else if (into instanceof BigInt64Array) {
    for (let row = 0; row < rows; row++)
      into[from + row] = BigInt(values[row * width + at] as number | bigint);
  } else if (into instanceof Uint8Array) {
    for (let row = 0; row < rows; row++) into[from + row] = values[row * width + at] ? 1 : 0;
  } else {
    for (let row = 0; row < rows; row++) into[from + row] = String(values[row * width + at]);
  }
}

function frameColumn({ column, kind, values }: PredictionColumn): FrameColumn {
  const data = Array.isArray(values) ? textBytes(values) : new Uint8Array(values.buffer);
  return { column, layout: kind, count: values.length, data };
}

/** Each with its length before it. */
function textBytes(texts: readonly string[]): Uint8Array {
  const known = new Map<string, Uint8Array>(); // labels are few
  let bytes = new Uint8Array(texts.length * 8);
  let at = 0;
  for (const text of texts) {
    let written = known.get(text);
    if (!written) {
      written = withLength(Buffer.from(text));
      if (known.size < 10_000) known.set(text, written);
    }
    if (at + written.length > bytes.length) {
      const wider = new Uint8Array(Math.max(at + written.length, bytes.length * 2));
      wider.set(bytes);
      bytes = wider;
    }
    if (written.length > 64) bytes.set(written, at);
    else for (let i = 0; i < written.length; i++) bytes[at + i] = written[i] as number;
    at += written.length;
  }
  return bytes.subarray(0, at);
}

function withLength(utf8: Buffer): Uint8Array {
  const written = Buffer.alloc(4 + utf8.length);
  written.writeUInt32LE(utf8.length);
  written.set(utf8, 4);
  return written;
}
