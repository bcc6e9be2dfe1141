import { toFloat16 } from "../../protocols/float16.ts";
import type { ColumnChunk } from "../../store/scoring-table.ts";
import { ELEMENT_ARRAYS, type RawTensor } from "../onnx/raw-tensor.ts";
import type { MappedInput } from "./map-columns.ts";

/** Rows of columns as the inputs of one run. What it gives holds until the next: the same memory is filled again. */
export class BatchInputs {
  readonly #inputs: readonly MappedInput[];
  #rows = -1;
  #tensors: readonly RawTensor[] = [];
  constructor(inputs: readonly MappedInput[]) {
    this.#inputs = inputs;
  }

  /** Rows `[from, from + rows)` of the columns, which lie in the order of the inputs. */
  of(columns: readonly ColumnChunk[], from: number, rows: number): readonly RawTensor[] {
    if (rows !== this.#rows) {
      this.#tensors = this.#inputs.map((input) => emptyTensor(input, rows));
      this.#rows = rows;
    }
    let next = 0;
    this.#inputs.forEach(({ columns: { length: width } }, i) => {
      const tensor = this.#tensors[i] as RawTensor; // one for each input
      for (let at = 0; at < width; at++)
        copy(columns[next + at] as ColumnChunk, { from, rows }, tensor, { at, width }); // one for each column
      next += width;
    });
    return this.#tensors;
  }
}

function emptyTensor({ name, datatype, columns, form }: MappedInput, rows: number): RawTensor {
  const length = rows * columns.length;
  const data = datatype === "BYTES" ? new Array<string>(length) : new ELEMENT_ARRAYS[datatype](length);
  return { name, datatype, dims: form === "matrix" ? [rows, columns.length] : [rows], data };
}

/** Copies rows of a column to column `at` of a matrix that is `width` wide. */
function copy(
  values: ColumnChunk,
  { from, rows }: { readonly from: number; readonly rows: number },
  { datatype, data }: RawTensor,
  { at, width }: { readonly at: number; readonly width: number },
): void {
  const into = data as unknown[]; // of the kind that the columns are read as, or of the one converted to below
  const end = from + rows;
  let to = at;
  if (datatype === "FP16") {
    for (let row = from; row < end; row++, to += width) into[to] = toFloat16(values[row] as number);
  } else if (values instanceof BigInt64Array && datatype !== "INT64" && datatype !== "UINT64") {
    for (let row = from; row < end; row++, to += width) into[to] = Number(values[row]);
  } else if (values instanceof Float32Array && data instanceof Float32Array) {
    for (let row = from; row < end; row++, to += width) data[to] = values[row] as number;
  } else {
    for (let row = from; row < end; row++, to += width) into[to] = values[row];
  }
}
