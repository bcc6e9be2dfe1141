import type { Database, Transaction } from "./database.ts";
import { identifier, literal } from "./identifier.ts";
import {
  type CollectedModel,
  type ModelColumn,
  modelNamed,
  readColumns,
  refreshView,
  type StoredType,
} from "./models.ts";

/** Types of JSON that a column of this type takes values of. */
const TAKEN: Readonly<Record<StoredType, readonly string[]>> = {
  DOUBLE: ["UBIGINT", "BIGINT", "DOUBLE"],
  VARCHAR: ["VARCHAR"],
  BOOLEAN: ["BOOLEAN"],
  JSON: ["OBJECT", "ARRAY"],
};
/** A whole number beyond this stays in the overflow, where all its digits are. */
const LARGEST_EXACT = 9_007_199_254_740_991;

/**
 * Gives columns of a model other types, as if they had had them from the first record on: what was of another type and lies in
 * the overflow column moves into its own, what is of another type now moves out. All of it or nothing. What was counted of the
 * model's hours is counted anew.
 *
 * Nothing may be written to the model meanwhile, and whoever knows its columns has to read them again.
 *
 * @param types - Wanted types, by the name of a feature or output.
 * @returns the columns that had another one.
 */
export async function retypeColumns(
  database: Database,
  model: string,
  types: ReadonlyMap<string, StoredType>,
  now: Date,
): Promise<ModelColumn[]> {
  const collected = await modelNamed(database, model);
  if (!collected || types.size === 0) return [];
  const columns = (await readColumns(database)).filter((column) => column.model === model);
  const wrong = columns.filter(({ name, type }) => type !== (types.get(name) ?? type));
  if (wrong.length === 0) return [];
  await database.transaction(async (tx) => {
    for (const column of wrong) await retype(tx, collected, column, types.get(column.name) ?? column.type);
    const retyped = columns.map((column) => ({ ...column, type: types.get(column.name) ?? column.type }));
    await refreshView(tx, collected, retyped);
    await tx.run(
      `update touched_hours set updated_at = $now::timestamptz,
         load_number = (select max(load_number) + 1 from touched_hours) where model = $model`,
      { model, now: now.toISOString() },
    );
  });
  return wrong;
}

async function retype(
  tx: Transaction,
  { model, recordsTable }: CollectedModel,
  { direction, name, column: named }: ModelColumn,
  type: StoredType,
): Promise<void> {
  const column = identifier(named);
  const member = literal(`$."${named.replaceAll('"', '\\"')}"`);
  const key = `to_json(${literal(named)}::varchar)::varchar`;
  const alter = (altered: string, to: string, value: string) =>
    tx.run(
      `alter table ${identifier(recordsTable)} alter column ${altered} set data type ${to} using (${value})`,
    );
  // Text beside text: merging JSON would leave out what is null within a nested value.
  const others = "coalesce(left(overflow::varchar, length(overflow::varchar) - 1) || ',', '{')";
  await alter(
    "overflow",
    "json",
    `case when ${column} is null then overflow
     else (${others} || ${key} || ':' || to_json(${column})::varchar || '}')::json end`,
  );
  const taken = TAKEN[type].map(literal).join(", ");
  const exact =
    type === "DOUBLE"
      ? `and (json_type(overflow, ${member}) = 'DOUBLE' or abs((overflow ->> ${member})::hugeint) <= ${LARGEST_EXACT})`
      : "";
  await alter(
    column,
    identifier(type),
    `case when json_type(overflow, ${member}) in (${taken}) ${exact} then (overflow ->> ${member})::${identifier(type)} end`,
  );
  await alter(
    "overflow",
    "json",
    `case when ${column} is null then overflow
     else nullif(json_merge_patch(overflow, ('{' || ${key} || ':null}')::json)::varchar, '{}')::json end`,
  );
  await tx.run(
    "update model_columns set type = $type where model = $model and direction = $direction and name = $name",
    { type, model, direction, name },
  );
}
