import { DuckDBBooleanVector, DuckDBDoubleVector, type DuckDBResult } from "@duckdb/node-api";

/**
 * Collects a result of (number or null, whether the source was null) into sorted finite numbers and counts of the rest.
 * Values are copied from DuckDB's own vectors, a few thousand at a time, and sorted once.
 */
export async function sortedNumbers(result: DuckDBResult) {
  let values = new Float64Array(8_192);
  let count = 0;
  let rows = 0;
  let missing = 0;
  let nan = 0;
  let infinite = 0;
  let unreadable = 0;
  for (
    let chunk = await result.fetchChunk();
    chunk && chunk.rowCount > 0;
    chunk = await result.fetchChunk()
  ) {
    const numbers = chunk.getColumnVector(0);
    const nulls = chunk.getColumnVector(1);
    if (!(numbers instanceof DuckDBDoubleVector) || !(nulls instanceof DuckDBBooleanVector))
      throw new TypeError("expected a double and a boolean column");
    const size = chunk.rowCount;
    rows += size;
    if (count + size > values.length) {
      const larger = new Float64Array(Math.max(values.length * 2, count + size));
      larger.set(values.subarray(0, count));
      values = larger;
    }
    for (let i = 0; i < size; i += 1) {
      const value = numbers.getItem(i);
      if (value === null) {
        if (nulls.getItem(i)) missing += 1;
        else unreadable += 1;
      } else if (Number.isFinite(value)) {
        values[count] = value;
        count += 1;
      } else if (Number.isNaN(value)) nan += 1;
      else infinite += 1;
    }
  }
  return { sorted: values.subarray(0, count).sort(), rows, missing, nan, infinite, unreadable };
}
