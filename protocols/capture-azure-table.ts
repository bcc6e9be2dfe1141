import { ServiceError } from "../schema/errors.ts";
import type { Captured } from "./captured.ts";
import { csvRows } from "./csv.ts";
import type { Cells } from "./feature-value.ts";
import { type JsonValue, writeJson } from "./json.ts";
import { setOwn } from "./own-property.ts";
import type { Recording } from "./recording.ts";

/** What a table of Azure ML's first data collector has, a side of its calls or their truth: its path says so, the table does not. */
export const azureCollections = ["inputs", "predictions", "labels"] as const;
export type AzureCollection = (typeof azureCollections)[number];

const CORRELATION = "$aml_dc_correlation_id";
/** What the collector adds to the columns of the service. */
const ADDED = /^\$aml_/;
const ZONE = /(?:[zZ]|[+-]\d\d:?\d\d)$/;

/** A call's half, and the row of the table that it begins with, from 0. */
export interface AzureTableHalf {
  readonly row: number;
  readonly captured: Captured;
}

/**
 * The halves of calls that a CSV file of Azure ML's first data collector holds (`ModelDataCollector` of SDK v1), one per
 * correlation id: its rows are those that one `collect` was given. `inputs` and `predictions` of one id belong together,
 * row by row, where the service passed the correlations on (`add_correlations`).
 *
 * @param model - Name to store under; else the model's, as the table has it.
 * @throws ServiceError `invalid-input` when it is no such table; as `csvRows`.
 * @see azureml-monitoring, ModelDataCollector: columns, and that times are UTC without saying so.
 */
export function azureTableHalves(
  bytes: Uint8Array,
  {
    collection,
    model,
  }: { readonly collection: Exclude<AzureCollection, "labels">; readonly model: string | undefined },
  recording: Recording,
): AzureTableHalf[] {
  const calls = new Map<string, { readonly row: number; readonly rows: Cells[] }>();
  for (const [row, cells] of csvRows(bytes, { stem: "input", names: undefined }, recording).entries()) {
    const id = textOf(cells[CORRELATION]);
    if (id === undefined)
      throw new ServiceError("invalid-input", `line ${row + 2} of the CSV has no ${CORRELATION}`);
    const call = calls.get(id);
    if (call) call.rows.push(cells);
    else calls.set(id, { row, rows: [cells] });
  }
  return Array.from(calls, ([id, { row, rows }]) => ({
    row,
    captured: halfOf(id, rows, collection, model),
  }));
}

function halfOf(
  id: string,
  rows: readonly Cells[],
  collection: Exclude<AzureCollection, "labels">,
  model: string | undefined,
): Captured {
  const first = rows[0] ?? {};
  const name = model ?? textOf(first.$aml_model_name);
  if (name === undefined) return { kind: "refused", reason: "the row names no model: send it with ?model=" };
  const service = textOf(first.$aml_service_name);
  const version = textOf(first.$aml_model_version);
  const time = textOf(first.$aml_dc_scoring_timestamp);
  return {
    kind: "half",
    call: { model: name, id, version: version === "default" ? undefined : version, deployment: service },
    key: writeJson(["azureml-v1", name, service ?? "", version ?? "", id]),
    half: {
      side: collection === "inputs" ? "request" : "response",
      message: { headers: { "content-type": "application/json" }, body: bytesOf(rows) },
      time: time === undefined || ZONE.test(time) ? time : `${time}Z`,
      path: undefined,
      status: collection === "inputs" ? undefined : 200,
    },
  };
}

/** The columns of the service alone, as it would have been asked or would have answered in JSON. */
function bytesOf(rows: readonly Cells[]): Uint8Array {
  const own = rows.map((cells) => {
    const kept: Record<string, JsonValue> = {};
    for (const [name, value] of Object.entries(cells)) {
      if (!ADDED.test(name)) setOwn(kept, name, value as JsonValue); // a cell of CSV is a scalar
    }
    return kept;
  });
  return new TextEncoder().encode(writeJson(own));
}

function textOf(value: Cells[string] | undefined): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  return String(value);
}
