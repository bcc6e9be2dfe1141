import type { DuckDBConnection } from "@duckdb/node-api";
import { literal } from "./identifier.ts";

/**
 * Refuses a CSV file whose rows do not have as many cells as its header. DuckDB reads such a file as one column of whole lines,
 * because under some other separator every line has one cell.
 *
 * @param header - Name of the only column that was found.
 * @throws DuckDB's error, which names the line, the cells expected and those found.
 */
export async function refuseRaggedCsv(
  connection: DuckDBConnection,
  path: string,
  header: string,
): Promise<void> {
  const [separator, cells] = [",", ";", "\t", "|"]
    .map((candidate) => [candidate, header.split(candidate).length] as const)
    .reduce((most, next) => (next[1] > most[1] ? next : most));
  if (cells < 2) return;
  const dialect = `header = true, delim = ${literal(separator)}, quote = '"', escape = '"', comment = '', skip = 0`;
  try {
    await connection.run(`from read_csv(${literal(path)}, ${dialect}, sample_size = -1) limit 0`);
    return; // the separator is part of a quoted name
  } catch (error) {
    const columns = Array.from({ length: cells }, (_, i) => `'c${i}': 'varchar'`).join(", ");
    // Not guessing makes DuckDB name the line.
    await connection.run(
      `select count(columns(*)) from read_csv(${literal(path)}, auto_detect = false, ${dialect}, columns = {${columns}})`,
    );
    throw error;
  }
}
