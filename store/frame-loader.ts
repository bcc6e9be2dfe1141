import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Database, Transaction } from "./database.ts";
import type { Frame, FrameColumn } from "./frame.ts";
import { identifier, literal } from "./identifier.ts";
import type { JournalPosition } from "./journal.ts";
import {
  addColumns,
  type CollectedModel,
  createModel,
  type ModelColumn,
  readColumns,
  readModels,
  refreshView,
} from "./models.ts";
import { writeParquet } from "./parquet-writer.ts";
import { hoursOf, insertTable, type TableLoad } from "./table-load.ts";

interface Layout {
  readonly model: CollectedModel;
  readonly columns: readonly ModelColumn[];
}

/** Frames of one model and kind, written as Parquet. */
interface Part {
  readonly kind: Frame["kind"];
  readonly model: string;
  /** Every column that any of the frames has. */
  readonly columns: readonly Pick<FrameColumn, "column" | "feature">[];
  readonly file: string;
}

/** Frames that lie in files for the database to read: nothing of them is needed in memory any more. */
export interface PreparedLoad {
  readonly parts: readonly Part[];
  /** Where in the journal the last of them ends. */
  readonly position: JournalPosition;
}

const HOUR_MICROS = 3_600_000_000;

/** Moves frames from the journal into the tables: all of a load and the note that it is loaded, or nothing. */
export class FrameLoader {
  readonly #database: Database;
  readonly #folder: string;
  readonly #now: () => Date;
  #layouts: ReadonlyMap<string, Layout>;
  #loadNumber: number;
  #files = 0;
  #last: Promise<void> = Promise.resolve();

  private constructor(
    options: { readonly database: Database; readonly folder: string; readonly now: () => Date },
    layouts: ReadonlyMap<string, Layout>,
    loadNumber: number,
  ) {
    this.#database = options.database;
    this.#folder = options.folder;
    this.#now = options.now;
    this.#layouts = layouts;
    this.#loadNumber = loadNumber;
  }

  static async open(options: {
    readonly database: Database;
    /** Where the Parquet files are written for the moment of loading. */
    readonly folder: string;
    readonly now: () => Date;
  }): Promise<FrameLoader> {
    const { database } = options;
    const columns = await readColumns(database);
    const layouts = (await readModels(database)).map(
      (model) =>
        [model.model, { model, columns: columns.filter((column) => column.model === model.model) }] as const,
    );
    const [last] = await database.all<{ number: number | null }>(
      "select max(load_number) as number from touched_hours",
    );
    return new FrameLoader(options, new Map(layouts), last?.number ?? 0);
  }

  /** The columns of every model, as loaded. */
  columnsOf(model: string): readonly ModelColumn[] {
    return this.#layouts.get(model)?.columns ?? [];
  }

  modelNames(): string[] {
    return [...this.#layouts.keys()];
  }

  layoutOf(model: string): CollectedModel | undefined {
    return this.#layouts.get(model)?.model;
  }

  /** Loads frames that lie in the journal up to `position`. */
  async load(frames: readonly Frame[], position: JournalPosition): Promise<void> {
    await this.insert(await this.prepare(frames, position));
  }

  /** Writes frames that lie in the journal up to `position` to files. When it returns they may be let go. */
  async prepare(frames: readonly Frame[], position: JournalPosition): Promise<PreparedLoad> {
    const groups = new Map<string, Frame[]>();
    for (const frame of frames) {
      const key = `${frame.kind} ${frame.model}`;
      const group = groups.get(key);
      if (group) group.push(frame);
      else groups.set(key, [frame]);
    }
    const parts: Part[] = [];
    try {
      for (const group of groups.values()) {
        const { kind, model } = group[0] as Frame; // no group is empty
        const file = join(this.#folder, `load-${++this.#files}.parquet`);
        parts.push({ kind, model, columns: columnsOf(group), file });
        await writeParquet(file, group);
      }
    } catch (error) {
      await removeFiles(parts);
      throw error;
    }
    return { parts, position };
  }

  /** Moves what is prepared into the tables, in the order in which it was prepared. When it fails it may be tried again. */
  insert(prepared: PreparedLoad): Promise<void> {
    return this.#alone(() => this.#insert(prepared));
  }

  /**
   * Stores the fresh rows of a table: all of them, or none.
   * @throws DuckDB's error, for which `isUnfit` holds when a value has to be stored in another way.
   */
  loadTable(load: TableLoad): Promise<void> {
    return this.#alone(async () => {
      const loadNumber = this.#loadNumber + 1;
      const keysFile = join(this.#folder, `keys-${loadNumber}.parquet`);
      const now = this.#now();
      try {
        await writeParquet(keysFile, [load.keys]);
        const before = this.#layouts.get(load.model);
        const after = await this.#database.transaction(async (tx) => {
          const current = before ?? (await makeModel(tx, load.model, this.#layouts));
          const added = newColumns(load.columns, current.columns);
          await addColumns(tx, current.model, added);
          await insertTable(tx, current.model, load, { keysFile, now });
          await tx.run(touchHours(hoursOf(load, keysFile, now)), {
            model: load.model,
            load: loadNumber,
            now: now.toISOString(),
          });
          if (before && added.length === 0) return before;
          const layout = { model: current.model, columns: [...current.columns, ...added] };
          await refreshView(tx, layout.model, layout.columns);
          return layout;
        });
        this.#layouts = new Map(this.#layouts).set(load.model, after);
        this.#loadNumber = loadNumber;
      } finally {
        await rm(keysFile, { force: true });
      }
    });
  }

  /** Loads come one after the other: each builds on the layouts that the one before has left. */
  #alone(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #insert({ parts, position }: PreparedLoad): Promise<void> {
    const loadNumber = this.#loadNumber + 1;
    const layouts = new Map(this.#layouts);
    await this.#database.transaction(async (tx) => {
      for (const part of parts) {
        const before = layouts.get(part.model);
        const after =
          part.kind === "records"
            ? await this.#loadRecords(tx, part, before, layouts, loadNumber)
            : await this.#loadLabels(tx, part, before, layouts, loadNumber);
        layouts.set(part.model, after);
        if (after !== before) await refreshView(tx, after.model, after.columns);
      }
      await tx.run("delete from journal_segments where segment <= $segment", { segment: position.segment });
      await tx.run("insert into journal_segments values ($segment, $end)", {
        segment: position.segment,
        end: position.end,
      });
    });
    this.#layouts = layouts;
    this.#loadNumber = loadNumber;
    await removeFiles(parts);
  }

  async #loadRecords(
    tx: Transaction,
    { model, columns, file }: Part,
    before: Layout | undefined,
    layouts: ReadonlyMap<string, Layout>,
    loadNumber: number,
  ): Promise<Layout> {
    const current = before ?? (await makeModel(tx, model, layouts));
    const added = newColumns(columns, current.columns);
    await addColumns(tx, current.model, added);
    const table = identifier(current.model.recordsTable);
    await insert(tx, table, columns, file);
    // A fifth of what date_trunc takes; the remainder is that of the division rounded down, before 1970 too.
    const hours = `select make_timestamptz(hour) as hour, records
      from (select time - ((time % ${HOUR_MICROS}) + ${HOUR_MICROS}) % ${HOUR_MICROS} as hour, count(*) as records
        from read_parquet(${literal(file)}) group by all)`;
    await tx.run(touchHours(hours), { model, load: loadNumber, now: this.#now().toISOString() });
    return added.length === 0 ? current : { model: current.model, columns: [...current.columns, ...added] };
  }

  async #loadLabels(
    tx: Transaction,
    { model, columns, file }: Part,
    before: Layout | undefined,
    layouts: ReadonlyMap<string, Layout>,
    loadNumber: number,
  ): Promise<Layout> {
    const current = before ?? (await makeModel(tx, model, layouts));
    await insert(tx, identifier(current.model.labelsTable), columns, file);
    // The hours of the labelled records have changed too.
    await tx.run(
      `insert into touched_hours
       select $model, date_trunc('hour', time), 0, $load, $now::timestamptz
       from ${identifier(current.model.recordsTable)}
       where key_high in (select key_high from read_parquet(${literal(file)})) group by all
       on conflict do update set load_number = excluded.load_number, updated_at = excluded.updated_at`,
      { model, load: loadNumber, now: this.#now().toISOString() },
    );
    const types = await tx.all<{ type: string }>(`select distinct type from read_parquet(${literal(file)})`);
    const labelType = widestLabel(
      current.model.labelType,
      types.map(({ type }) => type),
    );
    if (labelType === current.model.labelType) return current;
    await tx.run("update collected_models set label_type = $labelType where model = $model", {
      labelType,
      model,
    });
    return { ...current, model: { ...current.model, labelType } };
  }
}

async function makeModel(
  tx: Transaction,
  model: string,
  layouts: ReadonlyMap<string, Layout>,
): Promise<Layout> {
  const existing = [...layouts.values()].map((layout) => layout.model);
  return { model: await createModel(tx, model, existing), columns: [] };
}

/** Notes hours of event time that records have come for. */
function touchHours(hours: string): string {
  return `insert into touched_hours select $model, hour, records, $load, $now::timestamptz from (${hours})
    on conflict do update set records = touched_hours.records + excluded.records,
      load_number = excluded.load_number, updated_at = excluded.updated_at`;
}

/** Every column that any of the frames has, once. */
function columnsOf(frames: readonly Frame[]): Part["columns"] {
  const columns = new Map<string, Part["columns"][number]>();
  for (const frame of frames) {
    for (const { column, feature } of frame.columns) {
      if (!columns.has(column)) columns.set(column, feature ? { column, feature } : { column });
    }
  }
  return [...columns.values()];
}

/** Features and outputs that the table has no column for yet. */
function newColumns(
  columns: readonly { readonly column: string; readonly feature?: FrameColumn["feature"] | undefined }[],
  known: readonly ModelColumn[],
): ModelColumn[] {
  const names = new Set(known.map(({ column }) => column));
  const added: ModelColumn[] = [];
  for (const { column, feature } of columns) {
    if (!feature || names.has(column)) continue;
    names.add(column);
    added.push({ ...feature, column });
  }
  return added;
}

async function insert(tx: Transaction, table: string, columns: Part["columns"], file: string): Promise<void> {
  const values = columns.map(({ column }) =>
    column === "time" || column === "received_at"
      ? `make_timestamptz(${identifier(column)})`
      : column === "weight"
        ? "coalesce(weight, 1)"
        : identifier(column),
  );
  await tx.load(
    `insert into ${table} (${columns.map(({ column }) => identifier(column)).join(", ")})
     select ${values.join(", ")} from read_parquet(${literal(file)})`,
  );
}

async function removeFiles(parts: readonly Part[]): Promise<void> {
  for (const { file } of parts) await rm(file, { force: true });
}

/** The type that the view's `label` has when these come to those of type `before`. */
function widestLabel(
  before: CollectedModel["labelType"],
  added: readonly string[],
): CollectedModel["labelType"] {
  const types = new Set<string>(
    added.map((type) => (type === "number" ? "DOUBLE" : type === "boolean" ? "BOOLEAN" : "VARCHAR")),
  );
  if (before) types.add(before);
  if (types.size === 0) return null;
  if (types.size > 1) return "VARCHAR";
  return types.has("DOUBLE") ? "DOUBLE" : types.has("BOOLEAN") ? "BOOLEAN" : "VARCHAR";
}
