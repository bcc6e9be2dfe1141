import { ServiceError } from "../schema/errors.ts";
import type { Captured } from "./captured.ts";
import { isObject, type JsonObject, type JsonValue } from "./json.ts";
import { short } from "./tensor.ts";

/** Columns of ground truth whose names do not say what they are. */
export interface TruthColumns {
  readonly label: string | undefined;
  /** When the truth became known. */
  readonly time: string | undefined;
}

const FIRST_COLLECTOR = "$aml_dc_correlation_id";
/** What the first collector adds to the columns of the service. */
const ADDED = /^\$aml_/;
const INDEXED_IDS = ["correlationid", "correlation_id"] as const;
const INDEXED = /^(.+)_(\d{1,9})$/s;

/** Whether a column names the rows of ground truth as Azure ML does. */
export function isTruthColumn(name: string): boolean {
  return name === FIRST_COLLECTOR || INDEXED_IDS.some((id) => id === name);
}

/**
 * Ground truth as Azure ML's model monitoring joins it: `correlationid` (or `correlation_id`) is that of the call with the
 * place of the row behind it, `test_2` for the third row of call `test`. In a table of the first data collector the rows of one
 * `$aml_dc_correlation_id` are those of one call, in order. The label is the one other column, unless `columns` names it; a
 * row without one is not known yet.
 *
 * @param model - Name to store under; else the model's, as a table of the first collector has it.
 * @see Azure docs, how-to-monitor-model-performance: the requirements when the data collector is used.
 * @example
 * azureTruth([{ correlationid: "c1_2", is_fraud: true }], { model: "credit", columns: { label: undefined, time: undefined } });
 * // [{ kind: "labels", model: "credit", labels: [{ id: "c1", row: 2, label: true }] }]
 */
export function azureTruth(
  rows: readonly JsonValue[],
  { model, columns }: { readonly model: string | undefined; readonly columns: TruthColumns },
): Captured[] {
  const seen = new Map<string, number>();
  return rows.map((row) => {
    try {
      if (!isObject(row)) throw new ServiceError("invalid-input", "the line is no JSON object");
      return truthOf(row, model, columns, seen);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return { kind: "refused", reason: error.message };
    }
  });
}

function truthOf(
  cells: JsonObject,
  model: string | undefined,
  columns: TruthColumns,
  seen: Map<string, number>,
): Captured {
  const own = model ?? textOf(cells.$aml_model_name);
  if (own === undefined)
    throw new ServiceError("invalid-input", "ground truth names no model: send it with ?model=");
  const { id, row } = placeOf(cells, seen);
  const label = cells[labelOf(cells, columns)];
  if (label === undefined || label === null)
    return { kind: "ignored", reason: `no truth for ${short(id)} yet` };
  const time = textOf(cells[columns.time ?? "time"]);
  return {
    kind: "labels",
    model: own,
    labels: [{ id, row, label, ...(time === undefined ? {} : { time }) }],
  };
}

/** The record that is meant. */
function placeOf(
  cells: JsonObject,
  seen: Map<string, number>,
): { readonly id: string; readonly row: number } {
  const first = textOf(cells[FIRST_COLLECTOR]);
  if (first !== undefined) {
    const row = seen.get(first) ?? 0;
    seen.set(first, row + 1);
    return { id: first, row };
  }
  const id = INDEXED_IDS.map((name) => textOf(cells[name])).find((text) => text !== undefined);
  if (id === undefined)
    throw new ServiceError(
      "invalid-input",
      `the row has neither ${INDEXED_IDS.join(" nor ")} nor ${FIRST_COLLECTOR}, by which Azure ML joins ground truth`,
    );
  const [, call, row] = INDEXED.exec(id) ?? [];
  return call === undefined ? { id, row: 0 } : { id: call, row: Number(row) };
}

function labelOf(cells: JsonObject, { label, time = "time" }: TruthColumns): string {
  const names = Object.keys(cells);
  if (label !== undefined) {
    if (names.includes(label)) return label;
    throw new ServiceError(
      "invalid-input",
      `the row has no column ${short(label)}, in which the truth is to be`,
    );
  }
  const [only, ...others] = names.filter(
    (name) => !isTruthColumn(name) && !ADDED.test(name) && name !== time,
  );
  if (only !== undefined && others.length === 0) return only;
  throw new ServiceError(
    "invalid-input",
    "more or less than one column may be the truth: name it with ?label=",
  );
}

function textOf(value: JsonValue | undefined): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  return String(value);
}
