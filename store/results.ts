import type { ColumnResult, DatasetResult, WindowResult } from "../schema/drift-result.ts";
import type { Database, Parameters, Transaction } from "./database.ts";

/** Which results are asked for; times are of the window, half-open. */
export interface ResultQuery {
  readonly model: string;
  readonly monitor?: string | undefined;
  readonly feature?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly limit: number;
  /** End of the last window already seen, newest first. */
  readonly before?: string | undefined;
}

interface WindowRow {
  readonly model: string;
  readonly monitor: string;
  readonly version: string;
  readonly window_from: Date;
  readonly window_to: Date;
  readonly row_count: number;
  readonly labelled: number | null;
  readonly dataset: string;
  readonly computed_at: Date;
}

/** Results of monitors: every value is kept, alarm or not. A window that is checked again replaces its earlier result. */
export class ResultStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  async save(tx: Transaction, result: WindowResult): Promise<void> {
    const key = { model: result.model, monitor: result.monitor, from: result.from, to: result.to };
    const where =
      "model = $model and monitor = $monitor and window_from = $from::timestamptz and window_to = $to::timestamptz";
    await tx.run(`delete from window_results where ${where}`, key);
    await tx.run(`delete from drift_results where ${where}`, key);
    await tx.run(
      `insert into window_results values ($model, $monitor, $version, $from::timestamptz, $to::timestamptz, $rows, $labelled,
         $verdict, $drifted, $reason, $dataset::json, $computed_at::timestamptz)`,
      {
        ...key,
        version: result.version,
        rows: result.rows,
        labelled: result.labelled,
        verdict: result.dataset.verdict,
        drifted: result.dataset.drifted,
        reason: result.dataset.reason,
        dataset: JSON.stringify(result.dataset),
        computed_at: result.computed_at,
      },
    );
    if (result.columns.length === 0) return;
    await tx.run(
      `insert into drift_results
       select $model, $monitor, $version, $from::timestamptz, $to::timestamptz, c->>'name', c->>'verdict', c->>'reason', c
       from (select unnest(from_json($columns::json, '["json"]')) as c)`,
      { ...key, version: result.version, columns: JSON.stringify(result.columns) },
    );
  }

  /** The last windows of a monitor up to and including the one that ends at `to`, newest first, without their columns. */
  async recent(
    tx: Pick<Transaction, "all">,
    {
      model,
      monitor,
      to,
      limit,
    }: { readonly model: string; readonly monitor: string; readonly to: string; readonly limit: number },
  ): Promise<WindowResult[]> {
    const rows = await tx.all<WindowRow>(
      `select * from window_results where model = $model and monitor = $monitor and window_to <= $to::timestamptz
       order by window_to desc limit ${Math.trunc(limit)}`,
      { model, monitor, to },
    );
    return rows.map((row) => windowOf(row, []));
  }

  /** Windows with their columns, newest first. */
  async find(query: ResultQuery): Promise<WindowResult[]> {
    const parameters: Parameters = {
      model: query.model,
      monitor: query.monitor ?? "",
      from: query.from ?? "0001-01-01T00:00:00Z",
      to: query.to ?? "9999-01-01T00:00:00Z",
      before: query.before ?? "9999-01-01T00:00:00Z",
    };
    const rows = await this.#database.all<WindowRow>(
      `select * from window_results
       where model = $model and ($monitor = '' or monitor = $monitor)
         and window_from >= $from::timestamptz and window_to <= $to::timestamptz and window_to < $before::timestamptz
       order by window_to desc, monitor limit ${Math.trunc(query.limit)}`,
      parameters,
    );
    return Promise.all(rows.map(async (row) => windowOf(row, await this.#columns(row, query.feature))));
  }

  async #columns(row: WindowRow, feature: string | undefined): Promise<ColumnResult[]> {
    const rows = await this.#database.all<{ result: string }>(
      `select result from drift_results
       where model = $model and monitor = $monitor and window_from = $from::timestamptz and window_to = $to::timestamptz
         and ($feature = '' or feature = $feature)`,
      {
        model: row.model,
        monitor: row.monitor,
        from: row.window_from.toISOString(),
        to: row.window_to.toISOString(),
        feature: feature ?? "",
      },
    );
    return rows.map(({ result }) => JSON.parse(result) as ColumnResult); // written by save()
  }
}

function windowOf(row: WindowRow, columns: ColumnResult[]): WindowResult {
  return {
    model: row.model,
    monitor: row.monitor,
    version: row.version,
    from: row.window_from.toISOString(),
    to: row.window_to.toISOString(),
    rows: row.row_count,
    labelled: row.labelled,
    dataset: JSON.parse(row.dataset) as DatasetResult, // written by save()
    columns,
    computed_at: row.computed_at.toISOString(),
  };
}
