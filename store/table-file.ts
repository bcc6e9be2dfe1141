import { ServiceError } from "../schema/errors.ts";
import type { Database } from "./database.ts";
import { identifier, literal } from "./identifier.ts";
import { refuseRaggedCsv } from "./ragged-csv.ts";

/** A column of an uploaded table; `type` as DuckDB calls it. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
}

/** A member of the JSON that a row is read as. */
export type JsonMember = JsonColumn | { readonly member: string; readonly members: readonly JsonMember[] };

interface JsonColumn {
  readonly member: string;
  readonly column: TableColumn;
  readonly as: "value" | "text" | "time" | "whole";
}

/** A table in a file that the database may read: Parquet is read in place, CSV by its header. */
export class TableFile {
  readonly columns: readonly TableColumn[];
  readonly rows: number;
  readonly #database: Database;
  readonly #source: string;

  constructor(options: {
    readonly database: Database;
    readonly source: string;
    readonly columns: readonly TableColumn[];
    readonly rows: number;
  }) {
    this.#database = options.database;
    this.#source = options.source;
    this.columns = options.columns;
    this.rows = options.rows;
  }

  /**
   * The rows as lines of JSON, in order, in parts of about `partBytes`. Missing values have no member.
   *
   * @param where - Only rows that have a value in this column.
   * @throws ServiceError `invalid-input` when the file is damaged.
   */
  async *jsonLines(
    members: readonly JsonMember[],
    { partBytes, where }: { readonly partBytes: number; readonly where?: TableColumn | undefined },
  ): AsyncGenerator<string> {
    const condition = where ? ` where ${identifier(where.name)} is not null` : "";
    const connection = await this.#database.connect();
    try {
      const result = await reading(() =>
        connection.stream(`select ${objectOf(members)} from ${this.#source}${condition}`),
      );
      let lines: string[] = [];
      let length = 0;
      for (;;) {
        const chunk = await reading(() => result.fetchChunk());
        if (!chunk || chunk.rowCount === 0) break;
        for (const line of chunk.getColumnValues(0)) {
          lines.push(String(line));
          length += lines.at(-1)?.length ?? 0;
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

/** @throws ServiceError `invalid-input` when the file cannot be read as what it is said to be. */
export async function openTableFile(
  database: Database,
  path: string,
  format: "csv" | "parquet",
): Promise<TableFile> {
  const file = literal(path);
  const connection = await database.connect();
  try {
    const all = async <Row>(sql: string) =>
      reading(async () => (await connection.runAndReadAll(sql)).getRowObjectsJS() as Row[]);
    const describe = async (source: string): Promise<TableColumn[]> =>
      (await all<{ column_name: string; column_type: string }>(`describe select * from ${source}`)).map(
        ({ column_name: name, column_type: type }) => ({ name, type }),
      );
    let source = format === "parquet" ? `read_parquet(${file})` : csvSource(file, []);
    let columns = await describe(source);
    const [only, ...others] = columns;
    if (format === "csv" && only && others.length === 0)
      await reading(() => refuseRaggedCsv(connection, path, only.name));
    const worded = format === "csv" ? columns.filter(({ type }) => type === "BOOLEAN") : [];
    if (worded.length > 0) {
      const texts = csvSource(file, worded);
      const words = worded.map(
        ({ name }, i) => `bool_and(lower(${identifier(name)}) in ('true', 'false')) as w${i}`,
      );
      const [row] = await all<Record<string, boolean | null>>(`select ${words.join(", ")} from ${texts}`);
      source = csvSource(
        file,
        worded.filter((_, i) => row?.[`w${i}`] === false),
      );
      columns = await describe(source);
    }
    const [count] = await all<{ n: number }>(`select count(*)::double as n from ${source}`);
    return new TableFile({ database, source, columns, rows: count?.n ?? 0 });
  } finally {
    connection.closeSync();
  }
}

/** @param texts - Columns that stay text: DuckDB takes `yes` and `t` for booleans, and JSON does not. */
function csvSource(file: string, texts: readonly TableColumn[]): string {
  const types = texts.map(({ name }) => `${literal(name)}: 'VARCHAR'`).join(", ");
  // Said outright, or DuckDB may take a header that is too short, or rows that begin with #, for something to skip.
  return `read_csv(${file}, header = true, skip = 0, comment = '', sample_size = -1${types === "" ? "" : `, types = {${types}}`})`;
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
  const texts = members.map((member) => {
    const key = literal(`${JSON.stringify(member.member)}:`);
    return "members" in member ? `${key} || ${objectOf(member.members)}` : `${key} || ${jsonOf(member)}`;
  });
  return texts.length === 0 ? "'{}'" : `'{' || concat_ws(',', ${texts.join(", ")}) || '}'`;
}

/** The JSON text of a value; null where it is missing. */
function jsonOf({ column, as }: JsonColumn): string {
  const name = identifier(column.name);
  if (as === "text") return `to_json(${name}::varchar)::varchar`;
  if (as === "whole") return `${name}::bigint::varchar`;
  if (as === "time")
    return /^(TIMESTAMP|DATE)/.test(column.type)
      ? `to_json(strftime(${name}::timestamptz::timestamp, '%Y-%m-%dT%H:%M:%S.%fZ'))::varchar`
      : `to_json(${name}::varchar)::varchar`;
  if (/^(FLOAT|DOUBLE)$/.test(column.type))
    return `case when isfinite(${name}) then to_json(${name})::varchar when isinf(${name}) then to_json(if(${name} > 0, 'Infinity', '-Infinity'))::varchar end`;
  if (column.type === "JSON") return `${name}::varchar`;
  if (/^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL.*)$/.test(column.type))
    return `${name}::varchar`;
  if (/^BOOLEAN$|^STRUCT|^MAP|\[\d*\]$/.test(column.type)) return `to_json(${name})::varchar`;
  return `to_json(${name}::varchar)::varchar`;
}
