import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { ColumnType } from "../schema/drift-result.ts";
import { identifier, literal } from "./identifier.ts";
import { sortedNumbers } from "./sorted-numbers.ts";
import { openTableFile, unreadable } from "./table-source.ts";

/** A column of a file and how it is compared. */
export interface DatasetColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** As DuckDB calls it, such as `BIGINT` or `VARCHAR`. */
  readonly physical: string;
}

/** Which rows of a file: those of a time, or those of these positions; half-open. */
export type Slice =
  | { readonly time: { readonly column: string; readonly from: Date; readonly to: Date } }
  | { readonly rows: { readonly from: number; readonly to: number } };

export interface NumericValues {
  /** Finite values, ascending. */
  readonly sorted: Float64Array;
  readonly rows: number;
  readonly missing: number;
  readonly nan: number;
  readonly infinite: number;
  /** Text that is no number, where a number is due. */
  readonly unreadable: number;
}

export interface CategoryCounts {
  readonly counts: Map<string, number>;
  readonly rows: number;
  readonly missing: number;
}

/** One block of time: for each asked column the rows per bin or category, and those without a usable value. */
export interface Block {
  readonly start: Date;
  readonly rows: number;
  readonly columns: Readonly<Record<string, { readonly missing: number; readonly counts: number[] }>>;
}

export interface BlockSpec {
  readonly name: string;
  /** Edges of bins `(lo, hi]`, values outside go to the end bins; fewer than two edges: nothing is counted but missing values. */
  readonly edges?: readonly number[];
  /** Categories to count; one more count holds all the others. */
  readonly categories?: readonly string[];
}

/** More distinct values than this are not told apart: the rarest become one category. */
const MOST_CATEGORIES = 100_000;
const REST = "(all other values)";

/**
 * A file with a table: CSV (also .tsv, .gz), Parquet or NDJSON. Parquet is read in place, column by column; text is read once
 * into a throw-away database that may spill to disk.
 */
export class Dataset {
  readonly path: string;
  readonly rows: number;
  readonly columns: readonly DatasetColumn[];
  readonly #connection: DuckDBConnection;
  readonly #release: () => void;
  readonly #source: string;
  #scratch = new Float64Array(0);

  constructor(
    opened: {
      readonly path: string;
      readonly rows: number;
      readonly columns: readonly DatasetColumn[];
      readonly source: string;
    },
    connection: DuckDBConnection,
    release: () => void,
  ) {
    this.path = opened.path;
    this.rows = opened.rows;
    this.columns = opened.columns;
    this.#source = opened.source;
    this.#connection = connection;
    this.#release = release;
  }

  /** SHA-256 of the file, in hexadecimal. */
  async sha256(): Promise<string> {
    const hash = createHash("sha256");
    for await (const part of createReadStream(this.path)) hash.update(part as Buffer);
    return hash.digest("hex");
  }

  /** A numeric column, or a timestamp as seconds since 1970, sorted. */
  async numeric(name: string, slice?: Slice): Promise<NumericValues> {
    const value = asNumber(this.#column(name));
    const from = this.#from(slice, name);
    const [counted] = await this.#all<Omit<NumericValues, "sorted"> & { finite: number }>(
      `select count(*)::double as rows, count(*) filter (c is null)::double as missing,
         count(*) filter (c is not null and v is null)::double as unreadable, count(*) filter (isnan(v))::double as nan,
         count(*) filter (isinf(v))::double as infinite, count(*) filter (isfinite(v))::double as finite
       from (select ${raw(this.#column(name))} as c, ${value} as v from ${from})`,
    );
    if (!counted) throw new RangeError("an aggregate without a row");
    const { finite, ...counts } = counted;
    // Not streamed: DuckDB finishes on its own threads while the caller counts another column.
    const result = await this.#connection.run(
      `select v from (select ${value} as v from ${from}) where isfinite(v)`,
    );
    return { ...counts, sorted: await sortedNumbers(result, finite, this.#scratchFor(finite)) };
  }

  /** The same memory for one column after the other: new memory each time would keep the garbage collector busy. */
  #scratchFor(numbers: number): Float64Array {
    if (this.#scratch.length < numbers) this.#scratch = new Float64Array(numbers);
    return this.#scratch;
  }

  /** Rows per distinct value; booleans are `true` and `false`, numbers their shortest text. */
  async categories(name: string, slice?: Slice): Promise<CategoryCounts> {
    const column = this.#column(name);
    const found = await this.#all<{ c: string | null; n: number }>(
      // By position: the file may have columns called c and n itself.
      `select ${asCategory(column)} as c, count(*)::double as n from ${this.#from(slice, name)} group by 1 order by 2 desc, 1 limit ${MOST_CATEGORIES + 2}`,
    );
    const [whole] = await this.#all<{ n: number }>(
      `select count(*)::double as n from ${this.#from(slice, name)}`,
    );
    const rows = whole?.n ?? 0;
    const missing = found.find(({ c }) => c === null)?.n ?? 0;
    const listed = found
      .filter((row): row is { c: string; n: number } => row.c !== null)
      .slice(0, MOST_CATEGORIES);
    const counts = new Map(listed.map(({ c, n }) => [c, n]));
    const rest = rows - missing - listed.reduce((sum, { n }) => sum + n, 0);
    if (rest > 0) counts.set(REST, (counts.get(REST) ?? 0) + rest);
    return { counts, rows, missing };
  }

  /** Counts per block of time of all asked columns in one scan, in order of time; blocks without rows are absent. */
  async blockCounts(
    timeColumn: string,
    unit: "hour" | "day",
    specs: readonly BlockSpec[],
    slice?: Slice,
  ): Promise<Block[]> {
    const time = asTime(this.#column(timeColumn));
    const selected = specs.flatMap((spec, i) => {
      const column = this.#column(spec.name);
      if (spec.categories) {
        const value = asCategory(column);
        return [
          `count(*) filter (${value} is null)::double as m${i}`,
          `histogram_exact(${value}, ${textList(spec.categories)}) as h${i}`,
        ];
      }
      const value = asNumber(column);
      const usable = `${value} is not null and isfinite(${value})`;
      const missing = `count(*) filter (not (${usable}))::double as m${i}`;
      const edges = spec.edges ?? [];
      return edges.length < 2
        ? [missing]
        : [missing, `histogram(${value}, [${edges.map(double).join(",")}]) filter (${usable}) as h${i}`];
    });
    const rows = await this.#all<Record<string, unknown>>(
      `select epoch_ms(date_trunc('${unit}', ${time}))::double as start, count(*)::double as n${selected.map((sql) => `, ${sql}`).join("")}
       from ${this.#from(slice)} where ${time} is not null group by 1 order by 1`,
    );
    return rows.map((row) => ({
      start: new Date(Number(row.start)),
      rows: Number(row.n),
      columns: Object.fromEntries(
        specs.map((spec, i) => [
          spec.name,
          { missing: Number(row[`m${i}`]), counts: countsOf(spec, row[`h${i}`] as Histogram) },
        ]),
      ),
    }));
  }

  /** First and last time; undefined when the column holds none. */
  async timeRange(timeColumn: string): Promise<{ readonly from: Date; readonly to: Date } | undefined> {
    const time = asTime(this.#column(timeColumn));
    const [row] = await this.#all<{ low: number | null; high: number | null }>(
      `select epoch_ms(min(${time}))::double as low, epoch_ms(max(${time}))::double as high from ${this.#source}`,
    );
    return row && row.low !== null && row.high !== null
      ? { from: new Date(row.low), to: new Date(row.high) }
      : undefined;
  }

  async close(): Promise<void> {
    this.#release();
  }

  #column(name: string): DatasetColumn {
    const column = this.columns.find((candidate) => candidate.name === name);
    if (!column) throw new RangeError(`${this.path} has no column "${name}"`);
    return column;
  }

  #from(slice: Slice | undefined, column?: string): string {
    if (!slice) return this.#source;
    if ("rows" in slice) {
      const chosen = column === undefined ? "*" : identifier(column);
      return `(select ${chosen} from ${this.#source} limit ${slice.rows.to - slice.rows.from} offset ${slice.rows.from})`;
    }
    const time = asTime(this.#column(slice.time.column));
    const at = (date: Date) => `${literal(date.toISOString().replace("Z", ""))}::timestamp`;
    return `(select * from ${this.#source} where ${time} >= ${at(slice.time.from)} and ${time} < ${at(slice.time.to)})`;
  }

  async #all<Row>(sql: string): Promise<Row[]> {
    const result = await this.#connection.runAndReadAll(sql);
    return result.getRowObjectsJS() as Row[];
  }
}

type Histogram = readonly { readonly key: unknown; readonly value: bigint }[] | null;

/** Puts a histogram's counts on the bins or categories that were asked for. */
function countsOf(spec: BlockSpec, histogram: Histogram): number[] {
  const values = histogram?.map(({ value }) => Number(value)) ?? [];
  if (spec.categories) {
    const listed = spec.categories.map((_, i) => values[i] ?? 0);
    return [...listed, values[spec.categories.length] ?? 0];
  }
  const bins = (spec.edges?.length ?? 0) - 1;
  if (bins < 1) return [];
  const counts = Array.from({ length: bins }, (_, i) => values[i + 1] ?? 0);
  counts[0] = (counts[0] ?? 0) + (values[0] ?? 0);
  counts[bins - 1] = (counts[bins - 1] ?? 0) + (values[bins + 1] ?? 0);
  return counts;
}

function double(value: number): string {
  return `'${value}'::double`;
}

function textList(texts: readonly string[]): string {
  return `[${texts.map(literal).join(",")}]::varchar[]`;
}

/** The value itself: what JSON of mixed types holds is taken out of its quotes. */
function raw({ name, physical }: Pick<DatasetColumn, "name" | "physical">): string {
  return physical === "JSON" ? `(${identifier(name)} ->> '$')` : identifier(name);
}

function asNumber({ name, type, physical }: DatasetColumn): string {
  const column = raw({ name, physical });
  if (type === "timestamp")
    return isTemporal(physical)
      ? `epoch(${column})::double`
      : `epoch(try_cast(${column} as timestamp))::double`;
  return physical === "DOUBLE" ? column : `try_cast(${column} as double)`;
}

function asTime({ name, physical }: DatasetColumn): string {
  const column = raw({ name, physical });
  return isTemporal(physical) ? `${column}::timestamp` : `try_cast(${column} as timestamp)`;
}

function asCategory({ name, physical }: DatasetColumn): string {
  const column = raw({ name, physical });
  if (/^(DOUBLE|FLOAT|DECIMAL)/.test(physical)) {
    return `case when ${column} = trunc(${column}) and abs(${column}) < 1e15 then ${column}::bigint::varchar else ${column}::double::varchar end`;
  }
  return `${column}::varchar`;
}

function isTemporal(physical: string): boolean {
  return /^(DATE|TIMESTAMP)/.test(physical);
}

/**
 * Opens a file for comparison. Column types are read off the physical ones: numbers are numeric (small whole numbers too: use
 * `types` to call them categorical), text is categorical, dates and times are timestamps.
 *
 * @throws ServiceError `not-found` or `invalid-input`, naming the file and what is wrong with it.
 */
export async function openDataset(
  path: string,
  options: { readonly types?: Readonly<Record<string, ColumnType>> } = {},
): Promise<Dataset> {
  const { connection, source, release } = await openTableFile(path);
  try {
    const columns = await describe(connection, source, options.types ?? {});
    const [count] = (
      await connection.runAndReadAll(`select count(*)::double as n from ${source}`)
    ).getRowObjectsJS() as { n: number }[];
    return new Dataset({ path, rows: count?.n ?? 0, columns, source }, connection, release);
  } catch (error) {
    release();
    throw unreadable(path, error);
  }
}

async function describe(
  connection: DuckDBConnection,
  source: string,
  types: Readonly<Record<string, ColumnType>>,
): Promise<DatasetColumn[]> {
  const described = (
    await connection.runAndReadAll(`describe select * from ${source}`)
  ).getRowObjectsJS() as { column_name: string; column_type: string }[];
  return described.map(({ column_name: name, column_type: physical }) => ({
    name,
    physical,
    type: types[name] ?? inferred(physical),
  }));
}

function inferred(physical: string): ColumnType {
  if (physical === "BOOLEAN") return "boolean";
  if (isTemporal(physical)) return "timestamp";
  return /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL.*)$/.test(physical)
    ? "numeric"
    : "categorical";
}
