import { ServiceError } from "../schema/errors.ts";
import type { Database } from "./database.ts";
import { identifier } from "./identifier.ts";
import type { RecordStore, TimeWindow } from "./records.ts";
import { mostWeight, thinned } from "./thinned.ts";
import { type WrittenExport, writeExport } from "./write-export.ts";

/** Names of the columns of an export in the form of training data. */
export interface TrainingColumns extends WrittenExport {
  readonly time: string;
  readonly predictions: readonly string[];
  readonly label: string | undefined;
}

/**
 * What becomes of a sample's weights. `column`: a column `weight` tells them where they are not all 1. `thinned`: rows that stand for
 * fewer are left out at random, by their ids, so that all that are there stand for as many and none needs a weight.
 */
export type WeightsIn = "column" | "thinned";

/**
 * Writes collected records as training data would look: features by their own names, then outputs, label and time.
 * An output or label whose name a feature has already is called `out_…` or `label_`.
 */
export async function exportTraining(
  database: Database,
  records: Pick<RecordStore, "windowOf" | "columnsOf">,
  {
    model,
    window,
    weights,
  }: { readonly model: string; readonly window: TimeWindow; readonly weights: WeightsIn },
  file: string,
): Promise<TrainingColumns> {
  const source = await records.windowOf(model, window);
  if (!source) throw new ServiceError("not-found", `no records were collected for model "${model}"`);
  const taken = new Set<string>();
  const free = (wanted: string, otherwise: string) => {
    const name = taken.has(wanted.toLowerCase()) ? otherwise : wanted;
    taken.add(name.toLowerCase());
    return name;
  };
  const columns = (await records.columnsOf(model)).map(({ name, column }) => {
    if (name.startsWith("in_")) return { column, as: free(name.slice(3), name), role: "input" };
    if (name.startsWith("out_")) return { column, as: free(name.slice(4), name), role: "prediction" };
    return { column, as: free("label", "label_"), role: "label" };
  });
  const time = free("time", "event_time_");
  const most = await mostWeight(database, source);
  const chosen = columns.map(({ column, as }) => `${identifier(column)} as ${identifier(as)}`);
  if (most !== undefined && weights === "column")
    chosen.push(`weight as ${identifier(free("weight", "weight_"))}`);
  const written = await writeExport(database, {
    select: `select ${[`time as ${identifier(time)}`, ...chosen].join(", ")} from ${source}
      where ${weights === "thinned" ? thinned(most) : "true"} order by time, record_id, "row"`,
    file,
  });
  return {
    ...written,
    time,
    predictions: columns.filter(({ role }) => role === "prediction").map(({ as }) => as),
    label: columns.find(({ role }) => role === "label")?.as,
  };
}

/** The first event time at or after `time`; undefined when there is none. */
export async function nextRecordTime(
  database: Database,
  model: string,
  time: Date,
): Promise<Date | undefined> {
  const [row] = await database.all<{ next: Date | null }>(
    "select min(hour_start) as next from touched_hours where model = $model and hour_start >= $time::timestamptz",
    { model, time: time.toISOString() },
  );
  return row?.next ?? undefined;
}
