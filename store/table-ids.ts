import { chunksOf } from "./chunks.ts";
import type { Database } from "./database.ts";
import { slicedColumn, slicedId, sliceSql, type TableSlice } from "./table-slice.ts";

/** Rows whose ids are handed over at a time. */
const PART_ROWS = 65_536;
const LEAST_ERROR = 400;

/**
 * The ids of rows of a Parquet file as bytes, in order: before each its row, with an `f` in front where the call failed, and
 * a space, between them a line feed. One value for many rows, since a value per row would cost more than all the rest.
 *
 * @param key - Goes before the position of a row that has no id.
 * @param visit - Says whether to go on.
 * @returns `unfit` when an id holds a line feed itself, or `visit` says so.
 */
export async function visitIds(
  database: Database,
  options: {
    readonly slice: TableSlice;
    readonly id: string | undefined;
    readonly row: string | undefined;
    readonly status: string | undefined;
    readonly key: string;
    readonly visit: (ids: Uint8Array) => "on" | "unfit";
  },
): Promise<"visited" | "unfit"> {
  const { slice, id, row, status, key, visit } = options;
  const at = row === undefined ? "'0'" : `coalesce(${slicedColumn(row)}, 0)::varchar`;
  const number =
    status === undefined ? at : `if(${slicedColumn(status)} >= ${LEAST_ERROR}, 'f', '') || ${at}`;
  const columns = [id, row, status].filter((name) => name !== undefined);
  const connection = await database.connect();
  try {
    const chunks = chunksOf(
      connection,
      `select encode(string_agg(number || ' ' || id, chr(10) order by position)), bool_or(contains(id, chr(10)))
       from (select position, ${slicedId(id, key)} as id, ${number} as number from (${sliceSql(slice, columns)}))
       group by position // ${PART_ROWS} order by position // ${PART_ROWS}`,
    );
    for await (const chunk of chunks) {
      const [ids = [], torn = []] = chunk.getColumns();
      if (torn.includes(true)) return "unfit";
      for (const part of ids) {
        const { bytes } = part as unknown as { readonly bytes: Uint8Array }; // a BLOB
        if (visit(bytes) === "unfit") return "unfit";
      }
    }
    return "visited";
  } finally {
    connection.closeSync();
  }
}
