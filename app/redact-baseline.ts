import type { CollectSettings } from "../collector/collect-settings.ts";
import { type Redaction, redactValue } from "../collector/sidecar/redact.ts";
import type { BaselineColumn, ColumnRole } from "../drift/baseline-column.ts";
import type { BlockSpec, Dataset, DatasetColumn } from "../store/dataset.ts";
import { blockSpec, describeColumn, readColumn } from "./build-baseline.ts";

/** A column of the training data as the baseline keeps it, and how its blocks are counted; without a spec they are not. */
export interface DescribedColumn {
  readonly column: BaselineColumn;
  readonly blocks: BlockSpec | undefined;
}

/** What is done to a model's features and outputs, by name. */
export function redactionsOf({ models }: CollectSettings, model: string): ReadonlyMap<string, Redaction> {
  const redact = Object.hasOwn(models, model) ? (models[model]?.redact ?? []) : [];
  return new Map(redact.map((redaction) => [redaction.name, redaction]));
}

export async function describeAsItIs(
  dataset: Dataset,
  column: DatasetColumn,
  role: ColumnRole,
): Promise<DescribedColumn> {
  const described = describeColumn(column, role, await readColumn(dataset, column));
  return { column: described, blocks: blockSpec(described) };
}

/**
 * Describes a column that is redacted in records: no more of it is kept, and what is kept is comparable. Its categories
 * are hashed or cut as theirs are; undefined when nothing is left of it.
 */
export async function describeRedacted(
  dataset: Dataset,
  { name, physical }: DatasetColumn,
  {
    role,
    redaction,
    key,
  }: { readonly role: ColumnRole; readonly redaction: Redaction; readonly key: string },
): Promise<DescribedColumn | undefined> {
  const values = await readColumn(dataset, { name, type: "categorical" });
  if (values.kind !== "categorical") throw new RangeError(`categories of "${name}" are ${values.kind}`);
  const counts = new Map<string, number>();
  const plain = new Map<string, string>();
  let names: "one-each" | "merged" = "one-each";
  for (const [category, count] of values.counts) {
    const left = redactValue(category, redaction, key);
    if (typeof left !== "string") return undefined;
    if (counts.has(left)) names = "merged";
    counts.set(left, (counts.get(left) ?? 0) + count);
    plain.set(left, category);
  }
  const column = describeColumn({ name, type: "categorical", physical }, role, { ...values, counts });
  const { categories = [] } = blockSpec(column);
  return {
    column,
    // Counted by the names in the file, which go no further.
    blocks:
      names === "merged"
        ? undefined
        : { name, categories: categories.map((left) => plain.get(left) ?? left) },
  };
}
