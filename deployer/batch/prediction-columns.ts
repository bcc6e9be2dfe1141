import { columnNames } from "../../protocols/column-names.ts";
import { classOutput } from "../../protocols/model-answer.ts";
import type { Tensor, TensorValue } from "../../protocols/tensor.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import type { Frame, FrameColumn } from "../../store/frame.ts";
import { Texts } from "./texts.ts";

type Kind = "f32" | "f64" | "i64" | "bool" | "text";
type Numbers = Float32Array | Float64Array | BigInt64Array | Uint8Array;
type Values = Numbers | Texts;

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

  /** As rows to be written, so many in each frame. */
  frames(lengths: readonly number[]): readonly Frame[] {
    const columns = [...this.#columns.values()];
    let end = 0;
    return lengths.map((rows) => {
      const from = end;
      end += rows;
      return {
        kind: "records",
        model: "predictions",
        rows,
        columns: columns.map((column) => frameColumn(column, from, end)),
      };
    });
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
  if (datatype === "FP32" || datatype === "FP16") return "f32";
  return /INT/.test(datatype) ? "i64" : "f64";
}

function valuesFor(kind: Kind, rows: number): Values {
  if (kind === "f32") return new Float32Array(rows);
  if (kind === "f64") return new Float64Array(rows);
  if (kind === "i64") return new BigInt64Array(rows);
  return kind === "bool" ? new Uint8Array(rows) : new Texts(rows);
}

/** Copies column `at` of `rows` rows of a matrix to `into` from `from` on; the kinds go together, see `kindOf`. */
function copy(
  values: ArrayLike<TensorValue>,
  { at, width, rows }: { readonly at: number; readonly width: number; readonly rows: number },
  into: Values,
  from: number,
): void {
  if (into instanceof Float32Array && values instanceof Float32Array) {
    for (let row = 0; row < rows; row++) into[from + row] = values[row * width + at] as number;
  } else if (into instanceof Float32Array || into instanceof Float64Array) {
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
    for (let row = 0; row < rows; row++) into.set(from + row, String(values[row * width + at]));
  }
}

function frameColumn({ column, kind, values }: PredictionColumn, from: number, to: number): FrameColumn {
  const data = values instanceof Texts ? values.bytes(from, to) : bytesOf(values.subarray(from, to));
  return { column, layout: kind, count: to - from, data };
}

function bytesOf({ buffer, byteOffset, byteLength }: Numbers): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
