import { listValue } from "@duckdb/node-api";
import type { Database } from "./database.ts";
import { identifier, literal } from "./identifier.ts";
import { withoutExpired } from "./retention.ts";
import { mostWeight, thinned } from "./thinned.ts";

/** One column of the collected records, as the monitor counts it. */
export interface ProfileColumn {
  /** Name in the baseline. */
  readonly name: string;
  /** Physical column of the model's view, such as `in_age`. */
  readonly column: string;
  /** Type of that column in DuckDB, such as `DOUBLE`. */
  readonly physical: string;
  /** Edges of the baseline's fine bins and its smallest and largest value; absent for categories. */
  readonly numeric?:
    | {
        readonly edges: readonly number[];
        readonly min: number | null;
        readonly max: number | null;
        readonly timestamp: boolean;
      }
    | undefined;
}

/** One column over one hour; hours add up to any window. */
export interface HourlyProfile {
  readonly column: string;
  /** How many records each counted one stands for: an hour has one profile per weight that occurs in it. */
  readonly weight: number;
  readonly rows: number;
  readonly missing: number;
  readonly unusable: number;
  readonly mean: number | null;
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly below: number;
  readonly above: number;
  readonly counts: readonly number[];
  readonly categories: Readonly<Record<string, number>> | null;
}

const MOST_CATEGORIES = 1_000;

/** Weights within about a fifth of each other are counted together, with their mean: clients may send any. */
const WEIGHT_CLASS = "round(4 * log2(weight))";
/** What the statements below fill in, in their order. */
const INSERT = `insert into profiles (baseline_id, hour_start, column_name, record_count, missing, mismatched, mean, std,
    minimum, maximum, below, above, counts, categories, weight)`;

/** Mergeable hourly profiles of the collected records: the cost of a check depends on bins and hours, not on rows. */
export class ProfileStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Hours of the window whose profiles are absent or older than the records that came since. What was counted before the
   * records were deleted by retention is final.
   */
  async staleHours({
    baselineId,
    model,
    from,
    to,
  }: {
    readonly baselineId: string;
    readonly model: string;
    readonly from: Date;
    readonly to: Date;
  }): Promise<Date[]> {
    const rows = await this.#database.all<{ hour_start: Date }>(
      `select t.hour_start from touched_hours t
       left join profile_hours p on p.baseline_id = $baseline and p.hour_start = t.hour_start
       anti join expired_hours e on e.model = t.model and e.hour_start = t.hour_start
       where t.model = $model and t.hour_start >= $from::timestamptz and t.hour_start < $to::timestamptz
         and (p.load_number is null or p.load_number < t.load_number)
       order by t.hour_start`,
      { baseline: baselineId, model, from: from.toISOString(), to: to.toISOString() },
    );
    return rows.map(({ hour_start }) => hour_start);
  }

  /** Counts the given hours of the model's records anew and stores them. */
  async refresh({
    baselineId,
    model,
    source,
    hours,
    columns,
  }: {
    readonly baselineId: string;
    readonly model: string;
    /** The records with their labels: a window that holds the hours. */
    readonly source: string;
    readonly hours: readonly Date[];
    readonly columns: readonly ProfileColumn[];
  }): Promise<void> {
    if (hours.length === 0 || columns.length === 0) return;
    await this.#database.transaction(async (tx) => {
      const kept = await withoutExpired(tx, model, hours); // retention may have come in between
      if (kept.length === 0) return;
      const parameters = { baseline: baselineId, hours: listValue(kept.map((hour) => hour.toISOString())) };
      const chosen = "list_contains(list_transform($hours::varchar[], h -> h::timestamptz), hour_start)";
      await tx.run(`delete from profiles where baseline_id = $baseline and ${chosen}`, parameters);
      await tx.run(`delete from profile_hours where baseline_id = $baseline and ${chosen}`, parameters);
      const read = new Set(columns.map(({ column }) => identifier(column)));
      await tx.run(
        `create or replace temp table hours_counted as
         select date_trunc('hour', time) as hour_start, weight, ${WEIGHT_CLASS} as class, overflow, ${[...read].join(", ")} from ${source} where ${chosen}`,
        { hours: parameters.hours },
      );
      for (const column of columns) await tx.run(profileSql(column), { baseline: baselineId });
      await tx.run("drop table hours_counted");
      await tx.run(
        `insert into profile_hours select $baseline, hour_start, load_number from touched_hours where model = $model and ${chosen}`,
        { ...parameters, model },
      );
    });
  }

  /** The hours of `[from, to)`, each column apart. */
  async hours({
    baselineId,
    from,
    to,
  }: {
    readonly baselineId: string;
    readonly from: Date;
    readonly to: Date;
  }): Promise<HourlyProfile[]> {
    const rows = await this.#database.all<Omit<HourlyProfile, "categories"> & { categories: string | null }>(
      `select column_name as "column", weight, record_count as rows, missing, mismatched as unusable, mean, std, minimum as min, maximum as max,
         below, above, coalesce(counts, []) as counts, categories
       from profiles where baseline_id = $baseline and hour_start >= $from::timestamptz and hour_start < $to::timestamptz
       order by hour_start`,
      { baseline: baselineId, from: from.toISOString(), to: to.toISOString() },
    );
    return rows.map((row) => ({
      ...row,
      categories: row.categories === null ? null : (JSON.parse(row.categories) as Record<string, number>),
    }));
  }

  /** Evenly spaced quantiles of a numeric column over a window, read from the records themselves; for explaining an alarm. */
  async quantiles({
    source,
    column,
    points,
  }: {
    readonly source: string;
    readonly column: ProfileColumn;
    readonly points: number;
  }): Promise<number[]> {
    const grid = Array.from({ length: points }, (_, i) => i / (points - 1));
    const [row] = await this.#database.all<{ q: number[] | null }>(
      `select quantile_cont(${numberOf(column)}, [${grid.join(",")}]) as q from ${source}
       where ${thinned(await mostWeight(this.#database, source))}`,
    );
    return row?.q ?? [];
  }
}

/** The column as a number; text that is none becomes null and is counted as unusable. */
function numberOf({ column, physical, numeric }: ProfileColumn): string {
  const name = identifier(column);
  if (numeric?.timestamp)
    return physical === "VARCHAR" ? `epoch(try_cast(${name} as timestamptz))` : `epoch(${name})`;
  return physical === "DOUBLE" ? name : `try_cast(${name} as double)`;
}

function profileSql(column: ProfileColumn): string {
  return column.numeric ? numericSql(column, column.numeric) : categoricalSql(column);
}

function numericSql(
  column: ProfileColumn,
  { edges, min, max }: NonNullable<ProfileColumn["numeric"]>,
): string {
  const bins = edges.length < 1 ? null : edges.map((edge) => `${edge}::double`).join(",");
  // histogram() counts (previous edge, edge]; the first count holds all up to the smallest edge, the last all beyond the largest.
  const counts = bins
    ? `list_transform([${edges.map((edge) => `${edge}::double`).join(",")}, 'infinity'::double], e -> coalesce(h[e], 0)::bigint)`
    : "[]";
  return `${INSERT}
    with numbers as (
      select hour_start, class, weight, ${identifier(column.column)} as raw, ${numberOf(column)} as v, ${mismatch(column)} as mismatched
      from hours_counted),
    hourly as (
      select hour_start, avg(weight) as weight, count(*) as n, count(v) filter (isfinite(v)) as usable,
        count(*) filter (raw is null and not mismatched) as missing,
        avg(v) filter (isfinite(v)) as mean, stddev_samp(v) filter (isfinite(v)) as std,
        min(v) filter (isfinite(v)) as low, max(v) filter (isfinite(v)) as high,
        count(*) filter (isfinite(v) and v < ${min ?? "null"}) as below, count(*) filter (isfinite(v) and v > ${max ?? "null"}) as above,
        ${bins ? `histogram(v, [${bins}]) filter (isfinite(v))` : "null"} as h
      from numbers group by hour_start, class)
    select $baseline, hour_start, ${literal(column.name)}, n, missing, n - usable - missing, mean, std, low, high, below, above,
      ${bins ? `case when h is null then [] else ${counts} end` : "[]"}, null, weight
    from hourly`;
}

function categoricalSql(column: ProfileColumn): string {
  const name = identifier(column.column);
  const text =
    column.physical === "DOUBLE"
      ? `case when ${name} = trunc(${name}) and abs(${name}) < 1e15 then ${name}::bigint::varchar else ${name}::varchar end`
      : `${name}::varchar`;
  return `${INSERT}
    with categories as (
      select hour_start, class, ${text} as c, count(*) as n, sum(weight) as weights,
        count(*) filter (${mismatch(column)}) as bad
      from hours_counted group by all),
    ranked as (
      select *, row_number() over (partition by hour_start, class order by n desc, c) as rank from categories)
    select $baseline, hour_start, ${literal(column.name)}, sum(n)::bigint, (coalesce(sum(n) filter (c is null), 0) - sum(bad))::bigint,
      sum(bad)::bigint, null, null, null, null, 0, 0, null,
      to_json(map(coalesce(list(c) filter (c is not null and rank <= ${MOST_CATEGORIES}), []::varchar[]),
        coalesce(list(n) filter (c is not null and rank <= ${MOST_CATEGORIES}), []::bigint[]))),
      sum(weights) / sum(n)
    from ranked group by hour_start, class`;
}

/** Whether the record holds a value of another type for this column, kept in the overflow column. */
function mismatch({ column }: ProfileColumn): string {
  return `(overflow is not null and json_exists(overflow, ${literal(`$."${column.replaceAll('"', '\\"')}"`)}))`;
}
