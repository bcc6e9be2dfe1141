import type { DuckDBConnection } from "@duckdb/node-api";
import { identifier, literal } from "./identifier.ts";
import { refuseRaggedCsv } from "./ragged-csv.ts";

/** Rows that the types of columns are found from at first. */
const SAMPLE_ROWS = 20_480;
const WORD = "neither true nor false";

/**
 * Writes a CSV file with a header as Parquet.
 *
 * Types are found from the first rows; only where a later one does not fit are they found from all, which takes several
 * times longer. A column is boolean when it holds `true` and `false` in any case: DuckDB takes `yes`, `t` and `1` for
 * booleans too, and as JSON they are not.
 *
 * @throws DuckDB's error, which names the line that is wrong.
 */
export async function writeCsvAsParquet(
  connection: DuckDBConnection,
  files: { readonly path: string; readonly parquet: string },
): Promise<void> {
  try {
    await writeSampled(connection, files, SAMPLE_ROWS);
  } catch {
    await writeSampled(connection, files, "all");
  }
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
