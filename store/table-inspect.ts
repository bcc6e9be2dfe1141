import type { Database } from "./database.ts";
import type { LoadedColumn } from "./table-load.ts";
import { isWritable, slicedColumn, sliceSql, type TableSlice } from "./table-slice.ts";

/** Whole numbers beyond this are kept to the last digit elsewhere. */
const LARGEST_EXACT = 9_007_199_254_740_991n;
const NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}";

/** Whether the values of a table may be stored as they lie. */
export interface InspectedTable {
  /** `unfit`: one is infinite, beyond 2^53, or nothing that a record may hold. */
  readonly values: "fit" | "unfit";
  /** Columns of the table that hold NaN. */
  readonly withNaN: ReadonlySet<string>;
}

/** Looks at all values of a slice at once, by sums and extremes, which costs less than to look at each when it is stored. */
export async function inspectTable(
  database: Database,
  slice: TableSlice,
  columns: readonly LoadedColumn[],
): Promise<InspectedTable> {
  const looked = columns.flatMap((column) => {
    const condition = conditionOf(column);
    return condition === undefined ? [] : [{ column, condition }];
  });
  const rows = sliceSql(
    slice,
    looked.map(({ column }) => column.from.name),
  );
  if (looked.length === 0) return { values: "fit", withNaN: new Set() };
  const conditions = looked.map(({ condition }, i) => `coalesce(${condition}, true) as c${i}`);
  const [row] = await database.all<Record<string, boolean>>(`select ${conditions.join(", ")} from (${rows})`);
  const failed = looked.filter((_, i) => row?.[`c${i}`] !== true).map(({ column }) => column);
  for (const { from, feature } of failed) {
    if (!feature || !isFloat(from.type)) return { values: "unfit", withNaN: new Set() };
  }
  const withNaN = new Set(failed.map(({ from }) => from.name));
  const infinite = [...withNaN].map((name) => `bool_or(isinf(${slicedColumn(name)}))`);
  const wrong = infinite.length === 0 ? [] : [`select ${infinite.join(" or ")} as found from (${rows})`];
  for (const { column, from } of columns) {
    if (column !== "version" && column !== "deployment") continue;
    // The few that there are, instead of each row's.
    const names = `select distinct ${slicedColumn(from.name)}::varchar as name from (${sliceSql(slice, [from.name])})`;
    wrong.push(`select bool_or(not regexp_full_match(name, '${NAME}')) as found from (${names})`);
  }
  for (const sql of wrong) {
    const [row] = await database.all<{ found: boolean | null }>(sql);
    if (row?.found) return { values: "unfit", withNaN };
  }
  return { values: "fit", withNaN };
}

function isFloat(type: string): boolean {
  return type === "FLOAT" || type === "DOUBLE";
}

/** What holds for the column as a whole when every value may be stored as it is; a NaN or an infinity spoils a sum. */
function conditionOf({ column, from, feature }: LoadedColumn): string | undefined {
  const value = slicedColumn(from.name);
  if (feature) {
    if (feature.type !== "DOUBLE") return undefined;
    if (isFloat(from.type)) return `isfinite(sum(${value}::double))`;
    return /BIGINT$/.test(from.type)
      ? `min(${value}) >= -${LARGEST_EXACT} and max(${value}) <= ${LARGEST_EXACT}`
      : undefined;
  }
  if (column === "time") return `bool_and(${isWritable(value, from.type)})`;
  if (column === "status") return `min(${value}) >= 0 and max(${value}) <= 999`;
  if (column === "weight")
    return `min(${value}) >= 1 and max(${value}) <= 1000000 and isfinite(sum(${value}::double))`;
  if (column === "latency_ms") return `min(${value}) >= 0 and isfinite(sum(${value}::double))`;
  return undefined;
}
