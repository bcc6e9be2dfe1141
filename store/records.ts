import { ServiceError } from "../schema/errors.ts";
import type { Database } from "./database.ts";
import { addCounts, type HourCount, type LabelCounts } from "./hour-counts.ts";
import { identifier, literal } from "./identifier.ts";
import { type WrittenExport, writeExport } from "./write-export.ts";

/** A column as monitors name it, and where it is. */
export interface RecordColumn {
  /** `in_<feature>`, `out_<output>` or `label`. */
  readonly name: string;
  /** Column of the model's view and table. */
  readonly column: string;
  /** As DuckDB calls it: DOUBLE, VARCHAR, BOOLEAN or JSON. */
  readonly type: string;
}

/** A half-open window of event time, `[from, to)`. */
export interface TimeWindow {
  readonly from: Date;
  readonly to: Date;
}

/** Collected records and labels, as monitors, queries and exports read them. */
export class RecordStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /** Models that records or labels have been stored for. */
  async modelNames(): Promise<string[]> {
    const rows = await this.#database.all<{ model: string }>(
      "select model from collected_models order by model",
    );
    return rows.map(({ model }) => model);
  }

  /** A window of the model's records with their labels, ready to stand behind `from`; undefined when nothing was collected for it. */
  async windowOf(model: string, { from, to }: TimeWindow): Promise<string | undefined> {
    const [row] = await this.#database.all<{ view_name: string }>(
      "select view_name from collected_models where model = $model",
      { model },
    );
    return row && `windows.${identifier(row.view_name)}(${timestamp(from)}, ${timestamp(to)})`;
  }

  /** Features and outputs in the order in which they appeared, and `label` once there is one. */
  async columnsOf(model: string): Promise<RecordColumn[]> {
    return this.#database.all(
      `select name, "column", type from (
         select direction || '_' || name as name, column_name as "column", type, position
         from model_columns where model = $model
         union all
         select 'label', 'label', label_type, 2147483647 from collected_models
         where model = $model and label_type is not null)
       order by position`,
      { model },
    );
  }

  /**
   * First and last event time, also of records that retention has deleted since they were counted for this baseline;
   * undefined when there is nothing.
   */
  async timeRange(
    model: string,
    baselineId = "",
  ): Promise<{ readonly first: Date; readonly last: Date } | undefined> {
    const table = await this.#tableOf(model);
    if (!table) return undefined;
    const [row] = await this.#database.all<{ first: Date | null; last: Date | null }>(
      `select min(time) as first, max(time) as last
       from (select time from ${table} union all
         select hour_start from expired_hours
         semi join (select hour_start from profile_hours where baseline_id = $baselineId) using (hour_start)
         where model = $model)`,
      { model, baselineId },
    );
    return row?.first && row.last ? { first: row.first, last: row.last } : undefined;
  }

  /** Hours of a window whose records retention has deleted, and what was counted of them before. */
  async deletedHours(model: string, { from, to }: TimeWindow): Promise<HourCount[]> {
    return this.#database.all(
      `select hour_start as hour, records, labelled, weight, labelled_weight as "labelledWeight"
       from expired_hours join hour_counts using (model, hour_start)
       where model = $model and hour_start < $to::timestamptz and hour_start >= date_trunc('hour', $from::timestamptz)`,
      { model, from: from.toISOString(), to: to.toISOString() },
    );
  }

  /**
   * Records of a window and how many of them have a label. Of hours whose records retention has deleted it is what was
   * counted before, and those hours count whole.
   */
  async countWindow(model: string, window: TimeWindow): Promise<LabelCounts> {
    const rows = await this.windowOf(model, window);
    if (!rows) return addCounts([]);
    const deleted = await this.deletedHours(model, window);
    const hours = deleted.map(({ hour }) => timestamp(hour)).join(", ");
    const stored = await this.#database.all<LabelCounts>(
      `select count(*) as records, count(label) as labelled, coalesce(sum(weight), 0) as weight,
         coalesce(sum(weight) filter (label is not null), 0) as "labelledWeight" from ${rows}
       where ${hours === "" ? "true" : `date_trunc('hour', time) not in (${hours})`}`,
    );
    return addCounts([...stored, ...deleted]);
  }

  /**
   * Hours of event time that records or labels came for after load number `afterLoad` (0: all of them), with the
   * records each holds now and the number of the last load that touched it. Profiles of other hours still hold.
   */
  async dirtyHours(
    model: string,
    afterLoad: number,
  ): Promise<{ readonly hour: Date; readonly records: number; readonly loadNumber: number }[]> {
    return this.#database.all(
      `select hour_start as hour, records, load_number as "loadNumber" from touched_hours
       where model = $model and load_number > $afterLoad order by hour_start`,
      { model, afterLoad },
    );
  }

  /**
   * Writes the window of the model's view as Parquet, for retraining, in order of time: the same records make the same
   * file. The file appears under its name only when it is whole.
   * @throws ServiceError `not-found` when nothing was collected for the model.
   */
  async exportParquet(model: string, window: TimeWindow, file: string): Promise<WrittenExport> {
    const source = await this.windowOf(model, window);
    if (!source) throw new ServiceError("not-found", `no records were collected for model "${model}"`);
    return writeExport(this.#database, {
      select: `select * from ${source} order by time, record_id, "row"`,
      file,
    });
  }

  async #tableOf(model: string): Promise<string | undefined> {
    const [row] = await this.#database.all<{ records_table: string }>(
      "select records_table from collected_models where model = $model",
      { model },
    );
    return row && identifier(row.records_table);
  }
}

function timestamp(time: Date): string {
  return `${literal(time.toISOString())}::timestamptz`;
}
