import type { Database } from "./database.ts";
import { identifier } from "./identifier.ts";
import { type CollectedModel, modelNamed } from "./models.ts";
import type { TimeWindow } from "./records.ts";
import { withoutExpired } from "./retention.ts";

/** Records of an hour or a window, and those of them whose ground truth has arrived. */
export interface LabelCounts {
  /** Rows that were stored, also those that are deleted by now. */
  readonly records: number;
  readonly labelled: number;
  /** What they stand for: more than the rows where only a sample was stored. */
  readonly weight: number;
  readonly labelledWeight: number;
}

export interface HourCount extends LabelCounts {
  readonly hour: Date;
}

/** Counted at once, at most: hours, and the records in them. */
const HOURS_AT_ONCE = 200;
const RECORDS_AT_ONCE = 1_000_000;

/**
 * How many records each hour has, and how many of them have a label: counted once and again when records or labels
 * come for the hour, and kept when the records are deleted.
 */
export class HourCounts {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /** The hours of a window that hold records, in order; those that have changed are counted anew. */
  async hours(model: string, window: TimeWindow): Promise<HourCount[]> {
    await this.refresh(model, window);
    return this.#database.all(
      `select hour_start as hour, records, labelled, weight, labelled_weight as "labelledWeight"
       from hour_counts where model = $model and hour_start >= $from::timestamptz and hour_start < $to::timestamptz
       order by hour_start`,
      { model, from: window.from.toISOString(), to: window.to.toISOString() },
    );
  }

  /** Brings the counts up to date for the hours of a window that records or labels have come for. */
  async refresh(model: string, { from, to }: TimeWindow): Promise<void> {
    const collected = await modelNamed(this.#database, model);
    if (!collected) return;
    const stale = await this.#database.all<{ hour: Date; records: number }>(
      `select t.hour_start as hour, t.records from touched_hours t
       left join hour_counts c on c.model = t.model and c.hour_start = t.hour_start
       anti join expired_hours e on e.model = t.model and e.hour_start = t.hour_start
       where t.model = $model and t.hour_start >= $from::timestamptz and t.hour_start < $to::timestamptz
         and (c.load_number is null or c.load_number < t.load_number)
       order by t.hour_start`,
      { model, from: from.toISOString(), to: to.toISOString() },
    );
    for (const hours of portions(stale)) await this.#count(collected, hours);
  }

  /** Counts beside whatever is being written, and notes which load had come last before it began. */
  async #count({ model, recordsTable, labelsTable }: CollectedModel, hours: readonly Date[]): Promise<void> {
    const first = hours[0];
    const last = hours.at(-1);
    if (!first || !last) return;
    const list = hours.map((hour) => `timestamptz '${hour.toISOString()}'`).join(", ");
    const connection = await this.#database.connect();
    let counted: string;
    try {
      const result = await connection.runAndReadAll(
        `with loads as materialized (
           select hour_start, load_number from touched_hours where model = $model and hour_start in (${list})),
         chosen as materialized (
           select key_high, key_low, date_trunc('hour', time) as hour_start, weight from ${identifier(recordsTable)}
           where time >= timestamptz '${first.toISOString()}'
             and time < timestamptz '${last.toISOString()}' + interval 1 hour and date_trunc('hour', time) in (${list})),
         known as (
           select distinct key_high, key_low from ${identifier(labelsTable)} semi join chosen using (key_high, key_low)),
         counts as (
           select hour_start, count(*) as records, count(k.key_high) as labelled, sum(weight) as weight,
             coalesce(sum(weight) filter (k.key_high is not null), 0) as labelled_weight
           from chosen left join known k using (key_high, key_low) group by hour_start)
         select to_json(coalesce(list({hour: hour_start::varchar, records: coalesce(records, 0), labelled: coalesce(labelled, 0),
           weight: coalesce(weight, 0), labelled_weight: coalesce(labelled_weight, 0), load: load_number}), []))::varchar as counted
         from loads left join counts using (hour_start)`,
        { model },
      );
      counted = String(result.getRowObjectsJS()[0]?.counted);
    } finally {
      connection.closeSync();
    }
    await this.#database.transaction(async (tx) => {
      const kept = await withoutExpired(tx, model, hours); // retention may have come in between
      if (kept.length === 0) return;
      await tx.run(
        `insert or replace into hour_counts
         select $model, c.hour::timestamptz, c.records, c.labelled, c.weight, c.labelled_weight, c.load
         from (select unnest(from_json($counted, '[{"hour":"VARCHAR","records":"BIGINT","labelled":"BIGINT",
           "weight":"DOUBLE","labelled_weight":"DOUBLE","load":"BIGINT"}]')) as c)
         where c.hour::timestamptz in (${kept.map((hour) => `timestamptz '${hour.toISOString()}'`).join(", ")})`,
        { model, counted },
      );
    });
  }
}

/** Hours in portions that fit in memory; an hour by itself is counted however much it holds. */
function portions(hours: readonly { readonly hour: Date; readonly records: number }[]): Date[][] {
  const found: { readonly hours: Date[]; records: number }[] = [];
  for (const { hour, records } of hours) {
    const last = found.at(-1);
    if (last && last.hours.length < HOURS_AT_ONCE && last.records + records <= RECORDS_AT_ONCE) {
      last.hours.push(hour);
      last.records += records;
    } else found.push({ hours: [hour], records });
  }
  return found.map((portion) => portion.hours);
}

/** Adds up; of nothing it is all zero. */
export function addCounts(counts: readonly LabelCounts[]): LabelCounts {
  const sum = { records: 0, labelled: 0, weight: 0, labelledWeight: 0 };
  for (const count of counts) {
    sum.records += count.records;
    sum.labelled += count.labelled;
    sum.weight += count.weight;
    sum.labelledWeight += count.labelledWeight;
  }
  return sum;
}

/** Share of the records whose ground truth has arrived; null when there are none. */
export function labelledShare({ weight, labelledWeight }: LabelCounts): number | null {
  return weight === 0 ? null : labelledWeight / weight;
}
