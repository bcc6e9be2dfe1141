import type { Transaction } from "./database.ts";
import type { Frame } from "./frame.ts";
import { identifier, literal } from "./identifier.ts";
import type { CollectedModel, ModelColumn, StoredType } from "./models.ts";
import type { TableColumn } from "./table-file.ts";
import { slicedColumn, slicedId, sliceSql, type TableSlice } from "./table-slice.ts";

/** Whole numbers beyond this are kept to the last digit elsewhere. */
const LARGEST_EXACT = 9_007_199_254_740_991n;
/** Begins what the database says of a value that cannot be stored this way. */
const UNFIT = "unfit for leeway";

/** A column of a record, and the column of a table that it is read from. */
export interface LoadedColumn {
  readonly column: string;
  readonly from: TableColumn;
  /** Set for a feature or output. */
  readonly feature?: Pick<ModelColumn, "direction" | "name" | "type"> | undefined;
}

/** Rows of a Parquet file on their way into the records of a model, as they lie, without a way through JSON. */
export interface TableLoad {
  readonly model: string;
  readonly slice: TableSlice;
  readonly columns: readonly LoadedColumn[];
  /** For each of these rows: `key_high`, `key_low` and whether it is `fresh` (1) or stored already (0). */
  readonly keys: Frame;
  /** Column of the id, and what goes before the position of a row that has none. */
  readonly id: string | undefined;
  readonly key: string;
}

/** Whether the rows have to be stored in another way: for a value among them, or because they take too much memory. */
export function isUnfit(error: unknown): boolean {
  return error instanceof Error && (error.message.includes(UNFIT) || /Out of Memory/i.test(error.message));
}

/** How a column of a table is stored; undefined when it has to go by way of JSON. */
export function storedTypeOf({ type }: TableColumn): StoredType | undefined {
  if (/^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|FLOAT|DOUBLE|DECIMAL.*)$/.test(type)) return "DOUBLE";
  if (type === "BOOLEAN") return "BOOLEAN";
  return /^(VARCHAR|ENUM.*|UUID|DATE|TIME|TIMESTAMP.*)$/.test(type) ? "VARCHAR" : undefined;
}

/** Inserts the fresh rows. @throws DuckDB's error, for which `isUnfit` holds when a value has to be stored another way. */
export async function insertTable(
  tx: Transaction,
  { recordsTable }: Pick<CollectedModel, "recordsTable">,
  load: TableLoad,
  { keysFile, now }: { readonly keysFile: string; readonly now: Date },
): Promise<void> {
  const at = literal(now.toISOString());
  const has = (name: string) => load.columns.find(({ column }) => column === name);
  const fixed: Readonly<Record<string, string>> = {
    record_id: slicedId(load.id, load.key),
    ...(has("row") ? {} : { row: "0" }),
    ...(has("time") ? {} : { time: `${at}::timestamptz` }),
    received_at: `${at}::timestamptz`,
    key_high: "key_high",
    key_low: "key_low",
  };
  const targets = [...Object.keys(fixed), ...load.columns.map(({ column }) => column)];
  const values = [...Object.values(fixed), ...load.columns.map((column) => storedValue(column, at))];
  await tx.run(
    `insert into ${identifier(recordsTable)} (${targets.map(identifier).join(", ")})
     select ${values.join(", ")}
     from (${sliceOf(load)}) positional join read_parquet(${literal(keysFile)}) where fresh = 1`,
  );
}

/** Event hours of the fresh rows, and how many there are in each. */
export function hoursOf(load: TableLoad, keysFile: string, now: Date): string {
  const time = load.columns.find(({ column }) => column === "time");
  const at = literal(now.toISOString());
  const hour = `date_trunc('hour', ${time ? storedValue(time, at) : `${at}::timestamptz`})`;
  return `select ${hour} as hour, count(*) as records
    from (${sliceOf(load)}) positional join read_parquet(${literal(keysFile)}) where fresh = 1 group by all`;
}

function sliceOf({ slice, columns, id }: TableLoad): string {
  return sliceSql(slice, [...columns.map(({ from }) => from.name), ...(id === undefined ? [] : [id])]);
}

function storedValue({ column, from, feature }: LoadedColumn, now: string): string {
  const value = slicedColumn(from.name);
  const orUnfit = (condition: string, as: string) =>
    `case when ${condition} then ${as} when ${value} is null then null else error('${UNFIT}') end`;
  if (feature) {
    if (feature.type === "VARCHAR") return `${value}::varchar`;
    if (feature.type === "BOOLEAN") return value;
    if (/^(FLOAT|DOUBLE)$/.test(from.type))
      return `case when isfinite(${value}) then ${value}::double when ${value} is null or isnan(${value}) then null else error('${UNFIT}') end`;
    if (/BIGINT$/.test(from.type))
      return orUnfit(`${value} between -${LARGEST_EXACT} and ${LARGEST_EXACT}`, `${value}::double`);
    return `${value}::double`;
  }
  switch (column) {
    case "row":
      return `coalesce(${value}, 0)::integer`;
    case "time":
      return `coalesce(case when isfinite(${value}) or ${value} is null then ${value}::timestamptz else error('${UNFIT}') end, ${now}::timestamptz)`;
    case "status":
      return orUnfit(`${value} between 0 and 999 and ${value} = trunc(${value})`, `${value}::integer`);
    case "latency_ms":
      return orUnfit(`isfinite(${value}::double) and ${value} >= 0`, `${value}::double`);
    default:
      return orUnfit(
        `regexp_full_match(${value}::varchar, '[A-Za-z0-9][A-Za-z0-9._-]{0,127}')`,
        `${value}::varchar`,
      );
  }
}
