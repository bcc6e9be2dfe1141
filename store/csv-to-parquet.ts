import type { DuckDBConnection } from "@duckdb/node-api";
import { ServiceError } from "../schema/errors.ts";
import { identifier, literal } from "./identifier.ts";
import { refuseRaggedCsv } from "./ragged-csv.ts";

/** Rows that the types of columns are found from at first. */
const SAMPLE_ROWS = 20_480;
const OTHER = "a value of another type";

/** What is known of the columns of a CSV file before it is read, by the names in its header. */
export interface CsvColumns {
  /** Read as text, to the letter: as a number `1.10` would be `1.1`, and two long ids one. */
  readonly texts: readonly string[];
  /** Read as a time, when every value is one in ISO 8601. */
  readonly time: string | undefined;
}

/**
 * Writes a CSV file with a header as Parquet.
 *
 * Types are found from the first rows; only where a later one does not fit, or a column is empty in all of these and not
 * further down, are they found from all, which takes several times longer. A column is boolean when it holds `true` and `false` in any case: DuckDB takes `yes`, `t` and `1` for
 * booleans too, and as JSON they are not. Dates and times are text as they stand there, but for the one column that is known to be the time: DuckDB
 * would have to guess whether `01/02/2026` is in January, and write it another way.
 *
 * @param columnsOf - What is known of the columns, from their names.
 * @returns columns without any value, whose type nobody can tell.
 * @throws DuckDB's error, which names the line that is wrong.
 */
export async function writeCsvAsParquet(
  connection: DuckDBConnection,
  files: { readonly path: string; readonly parquet: string },
  columnsOf: (names: readonly string[]) => CsvColumns,
): Promise<ReadonlySet<string>> {
  try {
    await writeSampled(connection, files, { sample: SAMPLE_ROWS, columnsOf });
    const empty = await emptyColumns(connection, files.parquet);
    if (!(await startsEmpty(connection, files.parquet, empty))) return empty;
  } catch (error) {
    if (error instanceof ServiceError) throw error; // what is known of the columns is wrong
    // and so from all rows
  }
  await writeSampled(connection, files, { sample: "all", columnsOf });
  return emptyColumns(connection, files.parquet);
}

/** Columns of text without any value, by the file's own count. */
async function emptyColumns(connection: DuckDBConnection, parquet: string): Promise<ReadonlySet<string>> {
  const found = await connection.runAndReadAll(
    `select path_in_schema as name from parquet_metadata(${literal(parquet)}) group by path_in_schema
     having bool_and(type = 'BYTE_ARRAY') and sum(stats_null_count) = sum(num_values)`,
  );
  return new Set(found.getRowObjectsJS().map(({ name }) => String(name)));
}

/** Whether a column of text that is not empty has no value in the rows its type was found from. */
async function startsEmpty(
  connection: DuckDBConnection,
  parquet: string,
  empty: ReadonlySet<string>,
): Promise<boolean> {
  const source = `read_parquet(${literal(parquet)})`;
  const described = await connection.runAndReadAll(`describe from ${source}`);
  const texts = described
    .getRowObjectsJS()
    .flatMap(({ column_name: name, column_type: type }) =>
      type === "VARCHAR" && !empty.has(String(name)) ? [identifier(String(name))] : [],
    );
  if (texts.length === 0) return false;
  const counted = await connection.runAndReadAll(
    `select ${texts.map((name, i) => `count(${name}) as n${i}`).join(", ")} from (from ${source} limit ${SAMPLE_ROWS})`,
  );
  return Object.values(counted.getRowObjectsJS()[0] ?? {}).some((count) => count === 0n);
}

async function writeSampled(
  connection: DuckDBConnection,
  { path, parquet }: { readonly path: string; readonly parquet: string },
  {
    sample,
    columnsOf,
  }: {
    readonly sample: number | "all";
    readonly columnsOf: (names: readonly string[]) => CsvColumns;
  },
): Promise<void> {
  const file = literal(path);
  const described = await connection.runAndReadAll(`describe from ${csvSource(file, sample, [])}`);
  const columns = described.getRowObjectsJS() as { column_name: string; column_type: string }[];
  const [only, ...others] = columns;
  if (only && others.length === 0) await refuseRaggedCsv(connection, path, only.column_name);
  const { texts, time } = columnsOf(columns.map(({ column_name: name }) => name));
  const worded = columns.filter(
    ({ column_name: name, column_type: type }) => /^(BOOLEAN|DATE|TIME)/.test(type) || texts.includes(name),
  );
  const source = csvSource(
    file,
    sample,
    worded.map(({ column_name: name }) => name),
  );
  const conversions = worded.flatMap(({ column_name: name, column_type: type }) => {
    if (texts.includes(name)) return [];
    if (type === "BOOLEAN") return [{ name, value: truthOf(identifier(name)) }];
    return name === time ? [{ name, value: `try_cast(${identifier(name)} as timestamptz)` }] : [];
  });
  const copy = (converted: readonly Conversion[]) =>
    connection.run(
      `copy (select * ${replacing(converted)} from ${source}) to ${literal(parquet)} (format parquet)`,
    );
  try {
    await copy(conversions);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes(OTHER))) throw error;
    const other = conversions.map(
      ({ name, value }, i) => `bool_or(${identifier(name)} is not null and ${value} is null) as w${i}`,
    );
    const found = await connection.runAndReadAll(`select ${other.join(", ")} from ${source}`);
    const [row] = found.getRowObjectsJS();
    await copy(conversions.filter((_, i) => row?.[`w${i}`] !== true));
  }
}

/** What a column of text is written as; `value` is null where a text is no such thing. */
interface Conversion {
  readonly name: string;
  readonly value: string;
}

function truthOf(column: string): string {
  return `case lower(${column}) when 'true' then true when 'false' then false end`;
}

function replacing(conversions: readonly Conversion[]): string {
  if (conversions.length === 0) return "";
  const replaced = conversions.map(({ name, value }) => {
    const column = identifier(name);
    return `if(${column} is null, null, coalesce(${value}, error('${OTHER}'))) as ${column}`;
  });
  return `replace (${replaced.join(", ")})`;
}

/**
 * What to select a CSV file from.
 * @param file - Its path as a literal.
 * @param texts - Columns that are read as text.
 */
export function csvSource(file: string, sample: number | "all", texts: readonly string[]): string {
  const types = texts.map((name) => `${literal(name)}: 'VARCHAR'`).join(", ");
  // Said outright, or DuckDB may take a header that is too short, or rows that begin with #, for something to skip, and 'it' or an open " for what it makes of them.
  return `read_csv(${file}, header = true, skip = 0, comment = '', quote = '"', sample_size = ${sample === "all" ? -1 : sample}${types === "" ? "" : `, types = {${types}}`})`;
}
