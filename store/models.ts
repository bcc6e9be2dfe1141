import type { Database, Transaction } from "./database.ts";
import { identifier, literal } from "./identifier.ts";

/** How a feature or an output is stored. JSON does not tell 1 from 1.0, so every number is a DOUBLE. */
export type StoredType = "DOUBLE" | "VARCHAR" | "BOOLEAN" | "JSON";

/** A feature (`in`) or an output (`out`) of a model and the column that holds it. */
export interface ModelColumn {
  readonly direction: "in" | "out";
  /** As the scoring service calls it. */
  readonly name: string;
  /** `in_<name>` or `out_<name>`, with a number behind it where another one differs in case only. */
  readonly column: string;
  readonly type: StoredType;
}

/** Where the records and labels of one model are. */
export interface CollectedModel {
  readonly model: string;
  readonly recordsTable: string;
  readonly labelsTable: string;
  /** In schema `views`, named as the model unless another model's name differs in case only. */
  readonly view: string;
  /** Type of the view's `label`: that of all labels so far, VARCHAR when they differ. */
  readonly labelType: "DOUBLE" | "BOOLEAN" | "VARCHAR" | null;
}

const MODELS = `select model, records_table as "recordsTable", labels_table as "labelsTable", view_name as "view",
    label_type as "labelType" from collected_models`;

/** The models that records or labels have been stored for. */
export async function readModels(database: Database): Promise<CollectedModel[]> {
  return database.all(`${MODELS} order by model`);
}

/** Where the records and labels of this model are; undefined when nothing was collected for it. */
export async function modelNamed(
  database: Pick<Database, "all">,
  model: string,
): Promise<CollectedModel | undefined> {
  const [row] = await database.all<CollectedModel>(`${MODELS} where model = $model`, { model });
  return row;
}

/** Every column of every model, in the order in which they appeared. */
export async function readColumns(
  database: Pick<Database, "all">,
): Promise<(ModelColumn & { readonly model: string })[]> {
  return database.all(
    `select model, direction, name, column_name as "column", type from model_columns order by model, position`,
  );
}

/** The name itself, or with `_2`, `_3` … where `taken` (lower-case) has it: DuckDB's names ignore case. */
export function freeName(name: string, taken: { has(lowerCase: string): boolean }): string {
  if (!taken.has(name.toLowerCase())) return name;
  for (let number = 2; ; number++) {
    const candidate = `${name}_${number}`;
    if (!taken.has(candidate.toLowerCase())) return candidate;
  }
}

/** Makes the tables and the view of a model that has none yet. `existing` are all models that have. */
export async function createModel(
  tx: Transaction,
  model: string,
  existing: readonly CollectedModel[],
): Promise<CollectedModel> {
  const free = (name: string, of: (other: CollectedModel) => string) =>
    freeName(name, new Set(existing.map((other) => of(other).toLowerCase())));
  const created: CollectedModel = {
    model,
    recordsTable: free(`records_${model}`, ({ recordsTable }) => recordsTable),
    labelsTable: free(`labels_${model}`, ({ labelsTable }) => labelsTable),
    view: free(model, ({ view }) => view),
    labelType: null,
  };
  await tx.run(
    `create table ${identifier(created.recordsTable)} (
       record_id varchar not null, row integer not null, time timestamptz not null, received_at timestamptz not null,
       version varchar, deployment varchar, status integer, latency_ms double, weight double not null default 1,
       overflow json, key_high bigint not null, key_low integer not null)`,
  );
  await tx.run(
    `create table ${identifier(created.labelsTable)} (
       record_id varchar not null, row integer not null, label varchar not null, number double, type varchar not null,
       time timestamptz not null, received_at timestamptz not null, timed boolean not null,
       key_high bigint not null, key_low integer not null, event_high bigint not null, event_low integer not null)`,
  );
  await tx.run(
    `insert into collected_models (model, records_table, labels_table, view_name)
     values ($model, $records, $labels, $view)`,
    { model, records: created.recordsTable, labels: created.labelsTable, view: created.view },
  );
  return created;
}

/** Adds columns to a model's records. They are null in the rows that are there. */
export async function addColumns(
  tx: Transaction,
  model: CollectedModel,
  columns: readonly ModelColumn[],
): Promise<void> {
  if (columns.length === 0) return;
  // All at once: each statement by itself waits for its turn of a busy event loop, and a model may have thousands.
  const table = identifier(model.recordsTable);
  const added = columns.map(
    ({ column, type }) => `alter table ${table} add column ${identifier(column)} ${identifier(type)}`,
  );
  await tx.run(added.join(";"));
  const rows = columns.map(
    ({ direction, name, column, type }, i) =>
      `(${literal(direction)}, ${literal(name)}, ${literal(column)}, ${literal(type)}, ${i + 1})`,
  );
  await tx.run(
    `insert into model_columns (model, direction, name, column_name, type, position)
     select $model, direction, name, column_name, type, place + (select coalesce(max(position), 0) from model_columns where model = $model)
     from (values ${rows.join(", ")}) as added(direction, name, column_name, type, place)`,
    { model: model.model },
  );
}

/** Makes the model's view anew, which queries read, and the same of one window, which monitors and exports read. */
export async function refreshView(
  tx: Transaction,
  model: CollectedModel,
  columns: readonly ModelColumn[],
): Promise<void> {
  const features = columns.map(({ column }) => `, r.${identifier(column)}`).join("");
  const label =
    model.labelType === "DOUBLE"
      ? "l.number"
      : model.labelType === "BOOLEAN"
        ? "l.label::boolean"
        : "l.label";
  // Joined on the 96-bit key of (record_id, row), which is what deduplication rests on too: integers join faster.
  const joined = (records: string, labels: string) =>
    `select r.record_id, r.row, r.time, r.received_at, r.version, r.deployment, r.status, r.latency_ms, r.weight${features},
       ${label} as label, r.overflow
     from ${records} r
     left join (
       select key_high, key_low, arg_max(label, newest) as label, arg_max(number, newest) as number
       from (select *, row(time, received_at, rowid) as newest from ${labels})
       group by key_high, key_low) l using (key_high, key_low)`;
  const records = `main.${identifier(model.recordsTable)}`;
  const labels = `main.${identifier(model.labelsTable)}`;
  await tx.run(`create or replace view views.${identifier(model.view)} as ${joined(records, labels)}`);
  // A condition on the view's time does not reach the labels, and grouping all of them for one window would cost ever more.
  await tx.run(
    `create or replace macro windows.${identifier(model.view)}(window_from, window_to) as table
     with chosen as materialized (select * from ${records} where time >= window_from and time < window_to)
     ${joined("chosen", `${labels} semi join chosen using (key_high, key_low)`)}`,
  );
}
