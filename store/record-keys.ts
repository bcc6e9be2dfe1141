import { DuckDBBigIntVector, DuckDBBooleanVector, DuckDBIntegerVector } from "@duckdb/node-api";
import { chunksOf } from "./chunks.ts";
import type { Database } from "./database.ts";
import { identifier } from "./identifier.ts";

/** Some rows' keys: `high[2 i + 1]`, `high[2 i]` and `low[i]` are the three words of row i. */
export interface KeyChunk {
  readonly rows: number;
  readonly high: Uint32Array;
  readonly low: Int32Array;
}

export interface LabelKeyChunk {
  readonly rows: number;
  readonly key: KeyChunk;
  readonly event: KeyChunk;
  readonly timed: (row: number) => boolean;
}

/** Visits the keys of all rows of a records table, or of those a condition holds for, in the order of their arrival. */
export async function visitRecordKeys(
  database: Database,
  table: string,
  visit: (chunk: KeyChunk) => void,
  condition = "true",
): Promise<void> {
  await visitChunks(
    database,
    `select key_high, key_low from ${identifier(table)} where ${condition}`,
    (rows, columns) => visit(keyChunk(rows, columns[0], columns[1])),
  );
}

/** Visits the keys of all rows of a labels table, or of those a condition holds for, in the order of their arrival. */
export async function visitLabelKeys(
  database: Database,
  table: string,
  visit: (chunk: LabelKeyChunk) => void,
  condition = "true",
): Promise<void> {
  await visitChunks(
    database,
    `select key_high, key_low, event_high, event_low, timed from ${identifier(table)}
     where ${condition} order by rowid`,
    (rows, columns) => {
      const timed = columns[4];
      if (!(timed instanceof DuckDBBooleanVector)) throw new TypeError("timed is no boolean");
      visit({
        rows,
        key: keyChunk(rows, columns[0], columns[1]),
        event: keyChunk(rows, columns[2], columns[3]),
        timed: (row) => timed.getItem(row) === true,
      });
    },
  );
}

function keyChunk(rows: number, high: unknown, low: unknown): KeyChunk {
  if (!(high instanceof DuckDBBigIntVector) || !(low instanceof DuckDBIntegerVector)) {
    throw new TypeError("a key is a BIGINT and an INTEGER");
  }
  const { items } = high as unknown as { readonly items: BigInt64Array }; // private there, and the one way without a bigint per row
  const { items: lowItems } = low as unknown as { readonly items: Int32Array };
  return { rows, high: new Uint32Array(items.buffer, items.byteOffset, rows * 2), low: lowItems };
}

async function visitChunks(
  database: Database,
  sql: string,
  visit: (rows: number, columns: readonly unknown[]) => void,
): Promise<void> {
  const connection = await database.connect();
  try {
    for await (const chunk of chunksOf(connection, sql)) {
      const columns = Array.from({ length: chunk.columnCount }, (_, i) => chunk.getColumnVector(i));
      visit(chunk.rowCount, columns);
    }
  } finally {
    connection.closeSync();
  }
}

/** How many rows a table has, or how many of them a condition holds for. */
export async function countRows(database: Database, table: string, condition = "true"): Promise<number> {
  const [row] = await database.all<{ rows: number }>(
    `select count(*) as rows from ${identifier(table)} where ${condition}`,
  );
  return row?.rows ?? 0;
}
