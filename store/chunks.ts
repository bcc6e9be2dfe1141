import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  type DuckDBResult,
  ResultReturnType,
} from "@duckdb/node-api";

/** Chunks of a query as they come, without holding its whole result. @throws DuckDB's error, wherever it happens. */
export async function* chunksOf(connection: DuckDBConnection, sql: string): AsyncGenerator<DuckDBDataChunk> {
  const result = await connection.stream(sql);
  for (;;) {
    const chunk = await nextChunk(result, () => failAgain(connection, sql));
    if (!chunk) return;
    yield chunk;
  }
}

/**
 * The next chunk of a streamed result; undefined at its end.
 *
 * DuckDB ends a stream that fails half way, or is interrupted, as if it were whole. Only the type of the result tells it then.
 *
 * @param failed - Finds out why, and throws that.
 */
export async function nextChunk(
  result: DuckDBResult,
  failed: () => Promise<unknown>,
): Promise<DuckDBDataChunk | undefined> {
  const chunk = await result.fetchChunk();
  if (chunk && chunk.rowCount > 0) return chunk;
  if (result.returnType !== ResultReturnType.INVALID) return undefined;
  await failed();
  throw new Error("a query failed half way, and did not when it was run again to find out why");
}

/** Runs a query for nothing but its error: every value is made, and none is kept. */
export async function failAgain(connection: DuckDBConnection, select: string): Promise<void> {
  const rows = '"rows of the query"'; // unlike any column of theirs
  await connection.run(`select bit_xor(hash(${rows})) from (\n${select}\n) ${rows}`);
}
