import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { ServiceError } from "../schema/errors.ts";
import { csvSource } from "./csv-to-parquet.ts";
import { identifier, literal } from "./identifier.ts";
import { refuseRaggedCsv } from "./ragged-csv.ts";

const CSV = /\.(csv|tsv|txt)(\.gz)?$/i;

/** A file that can be read as a table, in the order of its rows. */
export interface TableSource {
  readonly connection: DuckDBConnection;
  /** What to select from. */
  readonly source: string;
  readonly release: () => void;
}

/**
 * Opens a CSV (also .tsv, .gz), Parquet or NDJSON file. Parquet is read in place; text is read once into a throw-away
 * database that may spill to disk.
 *
 * @throws ServiceError `not-found` or `invalid-input`, naming the file and what is wrong with it.
 */
export async function openTableFile(path: string): Promise<TableSource> {
  const reader = readerOf(path);
  const folder = mkdtempSync(join(tmpdir(), "leeway-table-"));
  const instance = await DuckDBInstance.create(join(folder, "scratch.duckdb"), {
    memory_limit: "1GB",
    temp_directory: folder,
  });
  const connection = await instance.connect();
  const release = () => {
    connection.closeSync();
    instance.closeSync();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await connection.run("set timezone = 'UTC'");
    await connection.run("set preserve_insertion_order = true");
    if (reader.kind === "columns") return { connection, source: reader.sql, release };
    await connection.run(`create table file as select * from ${reader.sql}`);
    if (CSV.test(path)) await settleCsv(connection, path);
    return { connection, source: "file", release };
  } catch (error) {
    release();
    throw unreadable(path, error);
  }
}

/** Refuses what is no table, and lets only `true` and `false` be booleans, as uploads and JSON have it: DuckDB takes `yes`, `no`, `t` and `f` for some, too. */
async function settleCsv(connection: DuckDBConnection, path: string): Promise<void> {
  const described = await connection.runAndReadAll("describe file");
  const columns = described.getRowObjectsJS() as { column_name: string; column_type: string }[];
  const [only, ...others] = columns;
  if (only && others.length === 0) await refuseRaggedCsv(connection, path, only.column_name);
  const worded = columns
    .filter(({ column_type: type }) => type === "BOOLEAN")
    .map(({ column_name: name }) => name);
  if (worded.length === 0) return;
  await connection.run(
    `create or replace table file as select * from ${csvSource(literal(path), "all", worded)}`,
  );
  const other = worded.map(
    (name, i) => `bool_or(lower(${identifier(name)}) not in ('true', 'false')) as w${i}`,
  );
  const [found] = (await connection.runAndReadAll(`select ${other.join(", ")} from file`)).getRowObjectsJS();
  for (const [i, name] of worded.entries())
    if (found?.[`w${i}`] !== true)
      await connection.run(`alter table file alter column ${identifier(name)} type boolean`);
}

/** What is told of a file that cannot be read. */
export function unreadable(path: string, error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  return new ServiceError("invalid-input", `${path} cannot be read: ${firstLines(error)}`, { cause: error });
}

/** How DuckDB reads a file, by its name. */
function readerOf(path: string): { readonly sql: string; readonly kind: "text" | "columns" } {
  if (!existsSync(path)) throw new ServiceError("not-found", `${path}: no such file`);
  const about = statSync(path);
  if (about.isDirectory())
    throw new ServiceError("invalid-input", `${path} is a folder: name a CSV, Parquet or NDJSON file`);
  if (about.size === 0) throw new ServiceError("invalid-input", `${path} is empty`);
  const file = literal(path);
  if (/\.parquet$/i.test(path)) return { sql: `read_parquet(${file})`, kind: "columns" };
  if (CSV.test(path)) return { sql: csvSource(file, "all", []), kind: "text" };
  if (/\.(ndjson|jsonl|json)(\.gz)?$/i.test(path))
    return { sql: `read_json(${file}, sample_size = -1, convert_strings_to_integers = false)`, kind: "text" };
  throw new ServiceError(
    "invalid-input",
    `${path}: expected a file that ends in .csv, .tsv, .parquet, .ndjson, .jsonl or .json (text may be gzipped)`,
  );
}

function firstLines(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n").slice(0, 2).join(" ").slice(0, 500);
}
