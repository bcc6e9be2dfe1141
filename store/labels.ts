import type { Database } from "./database.ts";
import { identifier } from "./identifier.ts";
import { modelNamed } from "./models.ts";

/** Ground truth as it came once, for one record. */
export interface StoredLabel {
  readonly label: string | number | boolean;
  /** When the truth became known; the time of receipt where the sender did not say. */
  readonly time: Date;
  readonly receivedAt: Date;
}

/** Everything that was said of one record, the one that counts first; undefined when nothing was collected for the model. */
export async function labelHistory(
  database: Database,
  { model, id, row }: { readonly model: string; readonly id: string; readonly row: number },
): Promise<StoredLabel[] | undefined> {
  const collected = await modelNamed(database, model);
  if (!collected) return undefined;
  const rows = await database.all<{
    label: string;
    number: number | null;
    type: string;
    time: Date;
    receivedAt: Date;
  }>(
    `select label, number, type, time, received_at as "receivedAt" from ${identifier(collected.labelsTable)}
     where record_id = $id and "row" = $row order by time desc, received_at desc, rowid desc`,
    { id, row },
  );
  return rows.map(({ label, number, type, time, receivedAt }) => ({
    // A whole number that a double does not hold stays text.
    label:
      type === "boolean"
        ? label === "true"
        : type === "number" && String(number) === label
          ? (number ?? label)
          : label,
    time,
    receivedAt,
  }));
}
