import type { ColumnChunk, ReadAs, ScoringTable } from "../../store/scoring-table.ts";
import type { RuntimeDatatype } from "../onnx/raw-tensor.ts";
import type { MappedInput } from "./map-columns.ts";

/** Rows `[from, from + rows)` of a table: the columns that a model takes, in the order of its inputs. */
export interface PartRows {
  readonly part: number;
  readonly from: number;
  readonly rows: number;
  readonly columns: readonly ColumnChunk[];
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

const ARRAYS = { f32: Float32Array, f64: Float64Array, i64: BigInt64Array, bool: Uint8Array } as const;

/**
 * The rows of a table in their order, `partRows` at a time, without the parts for which `wanted` says no.
 *
 * @throws ServiceError `invalid-input` when a value is none of its kind.
 */
export async function* readParts(
  table: Pick<ScoringTable, "read" | "rows">,
  inputs: readonly MappedInput[],
  { partRows, wanted }: { readonly partRows: number; readonly wanted: (part: number) => boolean },
): AsyncGenerator<PartRows> {
  const columns = inputs.flatMap((input) =>
    input.columns.map((name) => ({ name, as: READ_AS[input.datatype] })),
  );
  const start = (part: number) => {
    const from = part * partRows;
    const rows = Math.min(partRows, table.rows - from);
    const use = wanted(part) && rows > 0;
    return { part, from, rows, use, columns: use ? columns.map(({ as }) => arrayFor(as, rows)) : [] };
  };
  let building = start(0);
  let filled = 0;
  for await (const { rows, values } of table.read(columns)) {
    for (let at = 0; at < rows; ) {
      const count = Math.min(building.rows - filled, rows - at);
      if (building.use) {
        building.columns.forEach((into, i) => {
          copy(values[i] as ColumnChunk, at, count, into, filled); // one for each column
        });
      }
      filled += count;
      at += count;
      if (filled < building.rows) continue;
      const { use, ...part } = building;
      if (use) yield part;
      building = start(part.part + 1);
      filled = 0;
    }
  }
}

type Filled = Float32Array | Float64Array | BigInt64Array | Uint8Array | string[];

function arrayFor(as: ReadAs, rows: number): Filled {
  return as === "text" ? new Array<string>(rows) : new ARRAYS[as](rows);
}

/** Copies `count` values from `at` on to `to`; both are of the kind that the column is read as. */
function copy(values: ColumnChunk, at: number, count: number, into: Filled, to: number): void {
  if (Array.isArray(into)) {
    for (let i = 0; i < count; i++) into[to + i] = values[at + i] as string;
  } else if (into instanceof BigInt64Array) {
    into.set((values as BigInt64Array).subarray(at, at + count), to);
  } else {
    into.set((values as Float32Array | Float64Array | Uint8Array).subarray(at, at + count), to);
  }
}
