import { identifier, literal } from "./identifier.ts";

/** What DuckDB calls the position of a row in a Parquet file; none of its columns may be called so. */
export const ROW_NUMBER = "file_row_number";

/** Rows of a Parquet file by their position, half-open. */
export interface TableSlice {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

/** SQL of the slice's rows: `position`, and these columns of the file by the names that `slicedColumn` gives them. */
export function sliceSql({ path, from, to }: TableSlice, columns: Iterable<string>): string {
  const selected = [...new Set(columns)]
    .map((name) => `, ${identifier(name)} as ${slicedColumn(name)}`)
    .join("");
  return `select ${ROW_NUMBER} as position${selected}
    from read_parquet(${literal(path)}, ${ROW_NUMBER} = true)
    where ${ROW_NUMBER} >= ${from} and ${ROW_NUMBER} < ${to}`;
}

/** A column of the file, by a name that is none of ours. */
export function slicedColumn(name: string): string {
  return identifier(`table ${name}`);
}

/** SQL of the id of a row of a slice: what the column holds, or else the key and the row's position. */
export function slicedId(column: string | undefined, key: string): string {
  const byPosition = `${literal(`${key}:`)} || position`;
  return column === undefined
    ? `(${byPosition})`
    : `coalesce(${slicedColumn(column)}::varchar, ${byPosition})`;
}

/** SQL of whether RFC 3339 has a text for a time: from year 1 to 9999, and not infinite. Nothing is null. */
export function isWritable(time: string, type: string): string {
  // The literals would be beyond what nanoseconds reach, and all that they do reach is within.
  if (type === "TIMESTAMP_NS") return `isfinite(${time})`;
  return `(${time} >= '0001-01-01' and ${time} < '10000-01-01')`;
}
