import { type MonitorSpec, monitorSpec } from "../schema/monitor.ts";
import type { Database, Transaction } from "./database.ts";

/** A monitor and how far it has come. */
export interface StoredMonitor {
  readonly model: string;
  readonly name: string;
  readonly spec: MonitorSpec;
  readonly created_at: string;
  readonly updated_at: string;
  /** Start of the first window not yet checked; `null` before the first. */
  readonly next_window: string | null;
}

interface Row {
  readonly model: string;
  readonly name: string;
  readonly spec: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly next_window: Date | null;
}

export class MonitorStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /** Makes the monitor or changes it. Changing the window or the start makes it begin anew after the last window checked. */
  async put({
    model,
    name,
    spec,
    now,
  }: {
    readonly model: string;
    readonly name: string;
    readonly spec: MonitorSpec;
    readonly now: Date;
  }): Promise<"created" | "changed" | "unchanged"> {
    const before = await this.find(model, name);
    if (before && JSON.stringify(before.spec) === JSON.stringify(spec)) return "unchanged";
    await this.#database.transaction((tx) =>
      tx.run(
        `insert into monitors values ($model, $name, $spec::json, $now::timestamptz, $now::timestamptz, null)
         on conflict (model, name) do update set spec = excluded.spec, updated_at = excluded.updated_at`,
        { model, name, spec: JSON.stringify(spec), now: now.toISOString() },
      ),
    );
    return before ? "changed" : "created";
  }

  async find(model: string, name: string): Promise<StoredMonitor | undefined> {
    const [row] = await this.#database.all<Row>(
      "select * from monitors where model = $model and name = $name",
      { model, name },
    );
    return row && stored(row);
  }

  /** All monitors, or those of one model, by name. */
  async list(model?: string): Promise<StoredMonitor[]> {
    const rows = await this.#database.all<Row>(
      "select * from monitors where ($model = '' or model = $model) order by model, name",
      { model: model ?? "" },
    );
    return rows.map(stored);
  }

  /** Its results stay. */
  async remove(model: string, name: string): Promise<"removed" | "absent"> {
    const rows = await this.#database.transaction((tx) =>
      tx.run("delete from monitors where model = $model and name = $name", { model, name }),
    );
    return rows > 0 ? "removed" : "absent";
  }

  async advance(tx: Transaction, monitor: StoredMonitor, nextWindow: Date): Promise<void> {
    await tx.run(
      `update monitors set next_window = greatest(coalesce(next_window, $next::timestamptz), $next::timestamptz)
       where model = $model and name = $name`,
      { model: monitor.model, name: monitor.name, next: nextWindow.toISOString() },
    );
  }
}

function stored(row: Row): StoredMonitor {
  return {
    model: row.model,
    name: row.name,
    spec: monitorSpec.parse(JSON.parse(row.spec)),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    next_window: row.next_window?.toISOString() ?? null,
  };
}
