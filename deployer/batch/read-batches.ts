import { toFloat16 } from "../../protocols/float16.ts";
import type { ColumnChunk, ReadAs, ScoringTable } from "../../store/scoring-table.ts";
import { ELEMENT_ARRAYS, type RawTensor, type RuntimeDatatype } from "../onnx/raw-tensor.ts";
import type { MappedInput } from "./map-columns.ts";

/** Rows `[from, from + rows)` of a table as the inputs of one run. */
export interface RowBatch {
  readonly from: number;
  readonly rows: number;
  readonly inputs: readonly RawTensor[];
}

const READ_AS: Readonly<Record<RuntimeDatatype, ReadAs>> = {
  FP16: "f32",
  FP32: "f32",
  FP64: "f64",
  BOOL: "bool",
  BYTES: "text",
  INT8: "i64",
  INT16: "i64",
  INT32: "i64",
  INT64: "i64",
  UINT8: "i64",
  UINT16: "i64",
  UINT32: "i64",
  UINT64: "i64",
};

/**
 * The rows of a table in their order, at most `batchRows` at a time, as the inputs that a model takes.
 * No batch crosses a multiple of `partRows`; those that begin in a part for which `wanted` says no are left out.
 *
 * @throws ServiceError `invalid-input` when a value is none of its kind.
 */
export async function* readBatches(
  table: Pick<ScoringTable, "read" | "rows">,
  inputs: readonly MappedInput[],
  {
    batchRows,
    partRows,
    wanted,
  }: { readonly batchRows: number; readonly partRows: number; readonly wanted: (part: number) => boolean },
): AsyncGenerator<RowBatch> {
  const columns = inputs.flatMap((input) =>
    input.columns.map((name) => ({ name, as: READ_AS[input.datatype] })),
  );
  let from = 0;
  let filled = 0;
  const sizeAt = (row: number) => Math.min(batchRows, partRows - (row % partRows), table.rows - row);
  let building = startBatch(inputs, sizeAt(0));
  for await (const { rows, values } of table.read(columns)) {
    for (let at = 0; at < rows; ) {
      const size = sizeAt(from);
      const count = Math.min(size - filled, rows - at);
      const use = wanted(Math.floor(from / partRows));
      if (use) building.put(values, at, count, filled);
      filled += count;
      at += count;
      if (filled < size) continue;
      if (use) yield { from, rows: size, inputs: building.tensors };
      from += size;
      filled = 0;
      building = startBatch(inputs, from < table.rows ? sizeAt(from) : 0);
    }
  }
}

interface BatchBuilder {
  readonly tensors: readonly RawTensor[];
  /** Copies `count` rows of the chunk from `at` on to the rows from `to` on. */
  put(values: readonly ColumnChunk[], at: number, count: number, to: number): void;
}

function startBatch(inputs: readonly MappedInput[], rows: number): BatchBuilder {
  let first = 0;
  const parts = inputs.map(({ name, datatype, columns, form }) => {
    const width = columns.length;
    const data =
      datatype === "BYTES" ? new Array<string>(rows * width) : new ELEMENT_ARRAYS[datatype](rows * width);
    const tensor: RawTensor = { name, datatype, dims: form === "matrix" ? [rows, width] : [rows], data };
    const part = { tensor, width, first };
    first += width;
    return part;
  });
  return {
    tensors: parts.map(({ tensor }) => tensor),
    put: (values, at, count, to) => {
      for (const { tensor, width, first: column } of parts) {
        for (let i = 0; i < width; i++)
          copy(values[column + i] as ColumnChunk, { at, count }, tensor, to * width + i, width); // one for each column
      }
    },
  };
}

function copy(
  values: ColumnChunk,
  { at, count }: { readonly at: number; readonly count: number },
  { datatype, data }: RawTensor,
  start: number,
  stride: number,
): void {
  const into = data as unknown[]; // of the kind that `ARRAYS` says, as the values converted below
  let to = start;
  if (datatype === "FP16") {
    for (let row = at; row < at + count; row++, to += stride) into[to] = toFloat16(values[row] as number);
  } else if (values instanceof BigInt64Array && datatype !== "INT64" && datatype !== "UINT64") {
    for (let row = at; row < at + count; row++, to += stride) into[to] = Number(values[row]);
  } else if (values instanceof Float32Array && data instanceof Float32Array) {
    for (let row = at; row < at + count; row++, to += stride) data[to] = values[row] as number;
  } else {
    for (let row = at; row < at + count; row++, to += stride) into[to] = values[row];
  }
}
