import type { Transaction } from "./database.ts";
import type { Frame } from "./frame.ts";
import { identifier, literal } from "./identifier.ts";
import type { CollectedModel, ModelColumn, StoredType } from "./models.ts";
import type { TableColumn } from "./table-file.ts";
import { slicedColumn, slicedId, sliceSql, type TableSlice } from "./table-slice.ts";

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
  /** For each of these rows, by its `place` in the slice: `key_high`, `key_low` and whether it is `fresh` (1) or stored (0). */
  readonly keys: Frame;
  /** Whether every one of them is fresh. */
  readonly fresh: "all" | "some";
  /** Columns that hold NaN, which is a missing value here. */
  readonly withNaN: ReadonlySet<string>;
  /** Column of the id, and what goes before the position of a row that has none. */
  readonly id: string | undefined;
  readonly key: string;
}

/** How a column of a table is stored; undefined when it has to go by way of JSON. */
export function storedTypeOf({ type }: TableColumn): StoredType | undefined {
  if (/^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|FLOAT|DOUBLE|DECIMAL.*)$/.test(type)) return "DOUBLE";
  if (type === "BOOLEAN") return "BOOLEAN";
  return /^(VARCHAR|ENUM.*|UUID|DATE|TIME|TIMESTAMP.*)$/.test(type) ? "VARCHAR" : undefined;
}

/** Inserts the fresh rows. */
export async function insertTable(
  tx: Transaction,
  { recordsTable }: Pick<CollectedModel, "recordsTable">,
  load: TableLoad,
  { keysFile, now }: { readonly keysFile: string; readonly now: Date },
): Promise<void> {
  const at = `make_timestamptz(${now.getTime() * 1000})`;
  const has = (name: string) => load.columns.some(({ column }) => column === name);
  const fixed: Readonly<Record<string, string>> = {
    record_id: slicedId(load.id, load.key),
    ...(has("row") ? {} : { row: "0" }),
    ...(has("time") ? {} : { time: at }),
    received_at: at,
    key_high: "key_high",
    key_low: "key_low",
  };
  const targets = [...Object.keys(fixed), ...load.columns.map(({ column }) => column)];
  const values = [...Object.values(fixed), ...load.columns.map((column) => storedValue(column, load, at))];
  await tx.run(
    `insert into ${identifier(recordsTable)} (${targets.map(identifier).join(", ")})
     select ${values.join(", ")} from (${sliceOf(load)}) ${joined(load, keysFile)}
     limit ${load.slice.to - load.slice.from}`, // with a limit, which keeps the order, more than one thread inserts
  );
}

const HOUR_MICROS = 3_600_000_000;

/** Event hours of the fresh rows, and how many there are in each. */
export function hoursOf(load: TableLoad, keysFile: string, now: Date): string {
  const time = load.columns.find(({ column }) => column === "time")?.from;
  const received = String(now.getTime() * 1000);
  const micros = time ? `coalesce(${microsOf(time)}, ${received})` : received;
  const slice = sliceSql(load.slice, time ? [time.name] : []);
  const rows = load.fresh === "all" ? `(${slice})` : `(${slice}) ${joined(load, keysFile)}`;
  // Whole numbers instead of date_trunc, which asks the calendar of a time zone for every row.
  return `select make_timestamptz(hour * ${HOUR_MICROS}) as hour, records from (
      select floor(${micros} / ${HOUR_MICROS})::bigint as hour, count(*) as records from ${rows} group by all)`;
}

function joined({ slice, fresh }: TableLoad, keysFile: string): string {
  return `join read_parquet(${literal(keysFile)}) on (position - ${slice.from})::integer = place${fresh === "all" ? "" : " where fresh = 1"}`;
}

function sliceOf({ slice, columns, id }: TableLoad): string {
  return sliceSql(slice, [...columns.map(({ from }) => from.name), ...(id === undefined ? [] : [id])]);
}

function microsOf({ name, type }: TableColumn): string {
  return `epoch_us(${slicedColumn(name)}${type === "DATE" ? "::timestamp" : ""})`;
}

function storedValue(
  { column, from, feature }: LoadedColumn,
  { withNaN }: Pick<TableLoad, "withNaN">,
  now: string,
): string {
  const value = slicedColumn(from.name);
  if (feature) {
    if (feature.type === "VARCHAR") return `${value}::varchar`;
    if (feature.type === "BOOLEAN") return value;
    return withNaN.has(from.name) ? `if(isnan(${value}), null, ${value}::double)` : `${value}::double`;
  }
  switch (column) {
    case "row":
      return `coalesce(${value}, 0)::integer`;
    case "time":
      return `coalesce(${/ZONE$/.test(from.type) ? value : `make_timestamptz(${microsOf(from)})`}, ${now})`;
    case "status":
      return `${value}::integer`;
    case "weight":
      return `coalesce(${value}::double, 1)`;
    case "latency_ms":
      return `${value}::double`;
    default:
      return `${value}::varchar`;
  }
}
