import { listValue } from "@duckdb/node-api";
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

const HOUR_MS = 3_600_000;
/** Hours counted in one transaction, during which nothing is loaded. */
const HOURS_AT_ONCE = 24;

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
    const stale = await this.#database.all<{ hour: Date }>(
      `select t.hour_start as hour from touched_hours t
       left join hour_counts c on c.model = t.model and c.hour_start = t.hour_start
       anti join expired_hours e on e.model = t.model and e.hour_start = t.hour_start
       where t.model = $model and t.hour_start >= $from::timestamptz and t.hour_start < $to::timestamptz
         and (c.load_number is null or c.load_number < t.load_number)
       order by t.hour_start`,
      { model, from: from.toISOString(), to: to.toISOString() },
    );
    for (let at = 0; at < stale.length; at += HOURS_AT_ONCE) {
      await this.#count(
        collected,
        stale.slice(at, at + HOURS_AT_ONCE).map(({ hour }) => hour),
      );
    }
  }

  async #count({ model, recordsTable, labelsTable }: CollectedModel, hours: readonly Date[]): Promise<void> {
    const first = hours[0];
    const last = hours.at(-1);
    if (!first || !last) return;
    const asked =
      "list_contains(list_transform($hours::varchar[], h -> h::timestamptz), date_trunc('hour', time))";
    await this.#database.transaction(async (tx) => {
      const kept = await withoutExpired(tx, model, hours); // retention may have come in between
      if (kept.length === 0) return;
      await tx.run(
        `insert or replace into hour_counts
         with chosen as materialized (
           select key_high, key_low, date_trunc('hour', time) as hour, weight from ${identifier(recordsTable)}
           where time >= $from::timestamptz and time < $to::timestamptz and ${asked}),
         known as (select distinct key_high, key_low from ${identifier(labelsTable)} semi join chosen using (key_high, key_low)),
         counted as (
           select hour, count(*) as records, count(k.key_high) as labelled, sum(weight) as weight,
             coalesce(sum(weight) filter (k.key_high is not null), 0) as labelled_weight
           from chosen left join known k using (key_high, key_low) group by hour)
         select $model, t.hour_start, coalesce(counted.records, 0), coalesce(labelled, 0), coalesce(weight, 0),
           coalesce(labelled_weight, 0), t.load_number
         from touched_hours t left join counted on counted.hour = t.hour_start
         where t.model = $model and ${asked.replace("date_trunc('hour', time)", "t.hour_start")}`,
        {
          model,
          from: first.toISOString(),
          to: new Date(last.getTime() + HOUR_MS).toISOString(),
          hours: listValue(kept.map((hour) => hour.toISOString())),
        },
      );
    });
  }
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
