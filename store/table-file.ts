import { ServiceError } from "../schema/errors.ts";
import { chunksOf } from "./chunks.ts";
import { type CsvColumns, writeCsvAsParquet } from "./csv-to-parquet.ts";
import type { Database } from "./database.ts";
import { literal } from "./identifier.ts";
import { isWritable, ROW_NUMBER, slicedColumn, slicedId, sliceSql } from "./table-slice.ts";

/** A column of an uploaded table; `type` as DuckDB calls it, and `"NULL"` of a column of CSV without any value. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
}

/** Type of a column without any value, as DuckDB calls that. */
export const EMPTY = '"NULL"';

/** A member of the JSON that a row is read as. */
export type JsonMember =
  | JsonColumn
  | { readonly member: string; readonly members: readonly JsonMember[] }
  /** The id: what the column holds, or else the key and the row's position in the file. */
  | { readonly member: string; readonly id: string | undefined; readonly key: string };

export interface JsonColumn {
  readonly member: string;
  readonly column: TableColumn;
  readonly as: "value" | "text" | "time" | "whole" | "base64";
}

/** A table in a Parquet file that the database may read. */
export class TableFile {
  readonly path: string;
  readonly columns: readonly TableColumn[];
  readonly rows: number;
  readonly #database: Database;

  constructor(options: {
    readonly database: Database;
    readonly path: string;
    readonly columns: readonly TableColumn[];
    readonly rows: number;
  }) {
    this.#database = options.database;
    this.path = options.path;
    this.columns = options.columns;
    this.rows = options.rows;
  }

  /**
   * Rows as lines of JSON, in order, in parts of about `partBytes`. Missing values have no member.
   *
   * @param slice - Only rows at these positions; all when absent.
   * @param where - Only rows that have a value in this column.
   * @throws ServiceError `invalid-input` when the file is damaged.
   */
  async *jsonLines(
    members: readonly JsonMember[],
    {
      partBytes,
      slice = { from: 0, to: this.rows },
      where,
    }: {
      readonly partBytes: number;
      readonly slice?: { readonly from: number; readonly to: number } | undefined;
      readonly where?: TableColumn | undefined;
    },
  ): AsyncGenerator<string> {
    const names = [...columnsIn(members), ...(where ? [where.name] : [])];
    const condition = where ? ` where ${slicedColumn(where.name)} is not null` : "";
    const connection = await this.#database.connect();
    try {
      const rows = sliceSql({ path: this.path, ...slice }, names);
      const chunks = chunksOf(connection, `select ${objectOf(members)} from (${rows})${condition}`);
      let lines: string[] = [];
      let length = 0;
      for (;;) {
        const next = await reading(() => chunks.next());
        if (next.done) break;
        for (const value of next.value.getColumnValues(0)) {
          const line = String(value);
          lines.push(line);
          length += line.length;
        }
        if (length < partBytes) continue;
        yield lines.join("\n");
        lines = [];
        length = 0;
      }
      if (lines.length > 0) yield lines.join("\n");
    } finally {
      connection.closeSync();
    }
  }
}

function columnsIn(members: readonly JsonMember[]): string[] {
  return members.flatMap((member) => {
    if ("members" in member) return columnsIn(member.members);
    if ("column" in member) return [member.column.name];
    return member.id === undefined ? [] : [member.id];
  });
}

/**
 * The table in a file. CSV is read whole, and written as Parquet to `${path}.parquet`, before any row is handed out: what
 * is wrong with it is known by then.
 *
 * @param columnsOf - What is known of the columns of CSV, from their names.
 * @throws ServiceError `invalid-input` when the file cannot be read as what it is said to be.
 */
export async function openTableFile(
  database: Database,
  path: string,
  format: "csv" | "parquet",
  columnsOf: (names: readonly string[]) => CsvColumns = () => ({ texts: [], time: undefined }),
): Promise<TableFile> {
  const parquet = format === "csv" ? `${path}.parquet` : path;
  const connection = await database.connect();
  try {
    const all = async <Row>(sql: string) =>
      reading(async () => (await connection.runAndReadAll(sql)).getRowObjectsJS() as Row[]);
    const empty =
      format === "csv"
        ? await reading(() => writeCsvAsParquet(connection, { path, parquet }, columnsOf))
        : new Set();
    const source = `read_parquet(${literal(parquet)})`;
    const columns = (
      await all<{ column_name: string; column_type: string }>(`describe select * from ${source}`)
    ).map(({ column_name: name, column_type: type }) => ({ name, type: empty.has(name) ? EMPTY : type }));
    const taken = columns.find(({ name }) => name.toLowerCase() === ROW_NUMBER);
    if (taken)
      throw new ServiceError(
        "invalid-input",
        `a column is called ${taken.name}, which is what the database calls the place of a row: give it another name`,
      );
    const [count] = await all<{ n: number }>(`select count(*)::double as n from ${source}`);
    return new TableFile({ database, path: parquet, columns, rows: count?.n ?? 0 });
  } finally {
    connection.closeSync();
  }
}

/** What DuckDB says of a file, as a mishap of whoever sent it. */
async function reading<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const said = message
      .split("\n")
      .filter((line) => !/^LINE \d|^ *\^|^ *file *=|^Possible|^\*/.test(line) && line.trim() !== "")
      .slice(0, 4)
      .join(" ")
      .replaceAll(/(['"])[^'"]*upload-[^'"]*\1/g, "the file")
      .slice(0, 500);
    throw new ServiceError("invalid-input", `the table cannot be read: ${said}`, { cause: error });
  }
}

function objectOf(members: readonly JsonMember[]): string {
  const texts = members.map(
    (member) => `${literal(`${JSON.stringify(member.member)}:`)} || ${textOf(member)}`,
  );
  return texts.length === 0 ? "'{}'" : `'{' || concat_ws(',', ${texts.join(", ")}) || '}'`;
}

function textOf(member: JsonMember): string {
  if ("members" in member) return objectOf(member.members);
  return "column" in member ? jsonOf(member) : `to_json(${slicedId(member.id, member.key)})::varchar`;
}

/** The JSON text of a value; null where it is missing. */
function jsonOf({ column, as }: JsonColumn): string {
  const value = slicedColumn(column.name);
  const text = `to_json(${value}::varchar)::varchar`;
  if (as === "text") return text;
  if (as === "base64") return `to_json(base64(${value}))::varchar`;
  if (as === "whole") return `${value}::varchar`;
  if (as === "time" && /^(TIMESTAMP|DATE)/.test(column.type))
    return `to_json(if(${isWritable(value, column.type)}, strftime(${value}::timestamp, '%Y-%m-%dT%H:%M:%S.%fZ'), ${value}::varchar))::varchar`;
  if (as === "time") return text;
  if (/^(FLOAT|DOUBLE)$/.test(column.type))
    return `case when isfinite(${value}) then to_json(${value}::double)::varchar when isinf(${value}) then to_json(if(${value} > 0, 'Infinity', '-Infinity'))::varchar end`;
  if (/^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL.*|JSON)$/.test(column.type))
    return `${value}::varchar`;
  if (/^BOOLEAN$|^STRUCT|^MAP|\[\d*\]$/.test(column.type)) return `to_json(${value})::varchar`;
  return text;
}
