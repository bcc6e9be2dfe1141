import type { DuckDBConnection } from "@duckdb/node-api";
import { identifier, literal } from "./identifier.ts";
import { refuseRaggedCsv } from "./ragged-csv.ts";

/** Rows that the types of columns are found from at first. */
const SAMPLE_ROWS = 20_480;
const WORD = "neither true nor false";

/**
 * Writes a CSV file with a header as Parquet.
 *
 * Types are found from the first rows; only where a later one does not fit, or a column is empty in all of these and not
 * further down, are they found from all, which takes several times longer. A column is boolean when it holds `true` and `false` in any case: DuckDB takes `yes`, `t` and `1` for
 * booleans too, and as JSON they are not.
 *
 * @returns columns without any value, whose type nobody can tell.
 * @throws DuckDB's error, which names the line that is wrong.
 */
export async function writeCsvAsParquet(
  connection: DuckDBConnection,
  files: { readonly path: string; readonly parquet: string },
): Promise<ReadonlySet<string>> {
  try {
    await writeSampled(connection, files, SAMPLE_ROWS);
    const empty = await emptyColumns(connection, files.parquet);
    if (!(await startsEmpty(connection, files.parquet, empty))) return empty;
  } catch {
    // and so from all rows
  }
  await writeSampled(connection, files, "all");
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
  sample: number | "all",
): Promise<void> {
  const file = literal(path);
  const described = await connection.runAndReadAll(`describe from ${csvSource(file, sample, [])}`);
  const columns = described.getRowObjectsJS() as { column_name: string; column_type: string }[];
  const [only, ...others] = columns;
  if (only && others.length === 0) await refuseRaggedCsv(connection, path, only.column_name);
  const worded = columns
    .filter(({ column_type: type }) => type === "BOOLEAN")
    .map(({ column_name: name }) => name);
  const source = csvSource(file, sample, worded);
  const truths = worded.map((name) => {
    const word = identifier(name);
    return `case lower(${word}) when 'true' then true when 'false' then false else if(${word} is null, null, error('${WORD}')) end as ${word}`;
  });
  const selected = truths.length === 0 ? "*" : `* replace (${truths.join(", ")})`;
  const copy = (sql: string) => connection.run(`copy (${sql}) to ${literal(parquet)} (format parquet)`);
  try {
    await copy(`select ${selected} from ${source}`);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes(WORD))) throw error;
    const other = worded.map(
      (name, i) => `bool_or(lower(${identifier(name)}) not in ('true', 'false')) as w${i}`,
    );
    const found = await connection.runAndReadAll(`select ${other.join(", ")} from ${source}`);
    const [row] = found.getRowObjectsJS();
    const kept = truths.filter((_, i) => row?.[`w${i}`] !== true);
    await copy(`select ${kept.length === 0 ? "*" : `* replace (${kept.join(", ")})`} from ${source}`);
  }
}

/**
 * What to select a CSV file from.
 * @param file - Its path as a literal.
 * @param texts - Columns that are read as text.
 */
export function csvSource(file: string, sample: number | "all", texts: readonly string[]): string {
  const types = texts.map((name) => `${literal(name)}: 'VARCHAR'`).join(", ");
  // Said outright, or DuckDB may take a header that is too short, or rows that begin with #, for something to skip.
  return `read_csv(${file}, header = true, skip = 0, comment = '', sample_size = ${sample === "all" ? -1 : sample}${types === "" ? "" : `, types = {${types}}`})`;
}
