import { DuckDBDoubleVector, type DuckDBResult } from "@duckdb/node-api";
import { sortNumbers } from "./radix-sort.ts";

/**
 * Collects a result of one column of finite, non-null doubles and sorts it. Values are copied from DuckDB's own vectors, a chunk at
 * a time: making a JavaScript value of each would take longer than the query.
 *
 * @param expected - How many values will come, so that memory is taken once.
 * @param scratch - Memory for the sorting, so many numbers or more.
 */
export async function sortedNumbers(
  result: DuckDBResult,
  expected: number,
  scratch: Float64Array,
): Promise<Float64Array> {
  const values = new Float64Array(expected);
  let count = 0;
  for (
    let chunk = await result.fetchChunk();
    chunk && chunk.rowCount > 0;
    chunk = await result.fetchChunk()
  ) {
    const vector = chunk.getColumnVector(0);
    if (!(vector instanceof DuckDBDoubleVector)) throw new TypeError("expected a column of doubles");
    // The typed array behind the vector is there at run time and hidden from the types.
    const { items } = vector as unknown as { readonly items: Float64Array };
    values.set(items.subarray(0, chunk.rowCount), count);
    count += chunk.rowCount;
  }
  return sortNumbers(values.subarray(0, count), scratch);
}
