import type { DuckDBConnection, DuckDBVector } from "@duckdb/node-api";
import { ServiceError } from "../schema/errors.ts";
import { appendColumns, rowsOfGroups } from "./append-columns.ts";
import { chunksOf } from "./chunks.ts";
import { identifier, literal } from "./identifier.ts";
import { openTableFile, unreadable } from "./table-source.ts";

/** How the values of a column are to be read: what is missing is NaN in a number, and refused elsewhere. */
export type ReadAs = "f32" | "f64" | "i64" | "bool" | "text";

/** The values of one column of some rows. */
export type ColumnChunk = Float32Array | Float64Array | BigInt64Array | Uint8Array | readonly string[];

/**
 * A column of a row group with more different values is written without a dictionary. DuckDB gives up at five times as
 * many, and until then it has looked every number up: half the time of writing a file of measured values.
 */
const MOST_IN_DICTIONARY = 4_096;

const PARQUET = /\.parquet(\.partial)?$/i;

const CAST: Readonly<Record<ReadAs, string>> = {
  f32: "float",
  f64: "double",
  i64: "bigint",
  bool: "boolean",
  text: "varchar",
};

/** A file with a table whose rows are to be scored, read in its order. */
export class ScoringTable {
  readonly path: string;
  readonly rows: number;
  readonly columns: readonly string[];
  readonly #connection: DuckDBConnection;
  readonly #source: string;
  /** Of a Parquet file. */
  readonly #groups: readonly number[] | undefined;
  readonly #release: () => void;

  constructor(
    opened: {
      readonly path: string;
      readonly rows: number;
      readonly columns: readonly string[];
      readonly source: string;
      readonly groups: readonly number[] | undefined;
    },
    connection: DuckDBConnection,
    release: () => void,
  ) {
    this.path = opened.path;
    this.rows = opened.rows;
    this.columns = opened.columns;
    this.#source = opened.source;
    this.#groups = opened.groups;
    this.#connection = connection;
    this.#release = release;
  }

  /**
   * The values of some columns, chunk by chunk in the order of the rows. A chunk holds until the next one.
   * @throws ServiceError `invalid-input` when a value is none of its kind, or missing where it must not be.
   */
  async *read(
    columns: readonly { readonly name: string; readonly as: ReadAs }[],
  ): AsyncGenerator<{ readonly rows: number; readonly values: readonly ColumnChunk[] }> {
    await this.#refuseMissing(columns);
    const selected = columns.map(({ name, as }) => {
      const value = `cast(${identifier(name)} as ${CAST[as]})`;
      return as === "f32" || as === "f64" ? `coalesce(${value}, 'nan'::${CAST[as]})` : value;
    });
    try {
      const sql = `select ${selected.join(", ")} from ${this.#source}`;
      for await (const chunk of chunksOf(this.#connection, sql)) {
        const { rowCount } = chunk;
        yield {
          rows: rowCount,
          values: columns.map(({ as }, at) => valuesOf(chunk.getColumnVector(at), as, rowCount)),
        };
      }
    } catch (error) {
      throw unreadable(this.path, error);
    }
  }

  /** Rows of the groups that pages of other columns have to keep to, for them to be written beside these; undefined when they may lie anyhow. */
  groupsBeside(to: string): readonly number[] | undefined {
    return PARQUET.test(to) ? this.#groups : undefined;
  }

  /**
   * Writes the table with the columns of `parts`, row beside row, to a file of the kind its name says.
   * @param parts - Files, as they come; see `groupsBeside`.
   */
  async writeBeside(parts: AsyncIterable<string>, to: string): Promise<void> {
    if (this.groupsBeside(to)) return appendColumns(this.path, parts, to);
    const files: string[] = [];
    for await (const part of parts) files.push(literal(part));
    await this.#connection.run(
      `copy (select * from ${this.#source} positional join read_parquet([${files.join(", ")}])) to ${literal(to)} (${formOf(to)})`,
    );
  }

  /** Names of the columns of a part. */
  async columnsOf(part: string): Promise<readonly string[]> {
    const described = await this.#connection.runAndReadAll(
      `describe select * from read_parquet(${literal(part)})`,
    );
    return described.getRowObjectsJS().map((row) => String(row.column_name));
  }

  close(): void {
    this.#release();
  }

  async #refuseMissing(columns: readonly { readonly name: string; readonly as: ReadAs }[]): Promise<void> {
    const strict = columns.filter(({ as }) => as !== "f32" && as !== "f64");
    if (strict.length === 0) return;
    const counted = strict.map(({ name }, at) => `count_if(${identifier(name)} is null)::double as c${at}`);
    const found = await this.#connection.runAndReadAll(`select ${counted.join(", ")} from ${this.#source}`);
    const [row] = found.getRowObjectsJS();
    strict.forEach(({ name }, at) => {
      const missing = Number(row?.[`c${at}`]);
      if (missing > 0)
        throw new ServiceError(
          "invalid-input",
          `column "${name}" of ${this.path} is missing in ${missing} of ${this.rows} rows, and the model takes no missing values there: fill them in or leave the rows out`,
        );
    });
  }
}

/**
 * Opens a CSV, Parquet or NDJSON file.
 * @throws ServiceError `not-found` or `invalid-input`, naming the file and what is wrong with it.
 */
export async function openScoringTable(path: string): Promise<ScoringTable> {
  const { connection, source, release } = await openTableFile(path);
  try {
    const described = await connection.runAndReadAll(`describe select * from ${source}`);
    const columns = described.getRowObjectsJS().map((row) => String(row.column_name));
    const groups = PARQUET.test(path) ? await rowsOfGroups(path) : undefined;
    const counted = await connection.runAndReadAll(`select count(*)::double as n from ${source}`);
    const rows = Number(counted.getRowObjectsJS()[0]?.n);
    return new ScoringTable({ path, rows, columns, source, groups }, connection, release);
  } catch (error) {
    release();
    throw unreadable(path, error);
  }
}

/** The kind of file that predictions can be written to. @throws ServiceError `invalid-input` for any other. */
export function formOf(path: string): string {
  const name = path.replace(/\.partial$/, "");
  const zipped = /\.gz$/i.test(name) ? ", compression gzip" : "";
  if (PARQUET.test(name)) return `format parquet, dictionary_size_limit ${MOST_IN_DICTIONARY}`;
  if (/\.csv(\.gz)?$/i.test(name)) return `format csv, header true${zipped}`;
  if (/\.tsv(\.gz)?$/i.test(name)) return `format csv, header true, delimiter '\\t'${zipped}`;
  if (/\.(ndjson|jsonl)(\.gz)?$/i.test(name)) return `format json${zipped}`;
  throw new ServiceError(
    "invalid-input",
    `${name}: expected a name that ends in .csv, .tsv, .parquet, .ndjson or .jsonl (text may be gzipped)`,
  );
}

/** Numbers are read from DuckDB's own array behind the vector, which its types hide. */
function valuesOf(vector: DuckDBVector, as: ReadAs, rows: number): ColumnChunk {
  if (as === "text") return Array.from({ length: rows }, (_, row) => String(vector.getItem(row)));
  if (as === "bool") return Uint8Array.from({ length: rows }, (_, row) => (vector.getItem(row) ? 1 : 0));
  const { items } = vector as unknown as { readonly items: Float32Array | Float64Array | BigInt64Array };
  return items.subarray(0, rows);
}
