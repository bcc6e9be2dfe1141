import { ServiceError } from "../schema/errors.ts";
import { csvRows } from "./csv.ts";
import type { Cells } from "./feature-value.ts";
import { isList, isObject, type JsonObject, type JsonValue } from "./json.ts";
import { columnRows, listRows, putInstance, type RowForm, splitRows } from "./json-rows.ts";
import type { Recording } from "./recording.ts";

/** Members under which services put their answers, the likelier first. */
const WRAPPERS = [
  "predictions",
  "outputs",
  "results",
  "Results",
  "result",
  "prediction_result",
  "data",
] as const;

/**
 * The outputs of each instance from an answer in JSON, given how many were asked.
 *
 * Read as, in this order: a list with one element per instance; an object that holds such a list, or an object of such
 * lists, under `predictions`, `outputs`, `results` …; a table in pandas' split form; an object of lists of that length, one column each; and for one
 * instance anything at all. A bare value is called `prediction`.
 *
 * @param names - Names of the outputs from the model's signature.
 * @throws ServiceError `invalid-input` when the answer goes with no such number of instances.
 * @example
 * answerRows({ predictions: [0, 1] }, { batch: 2, names: undefined }, recording);
 * // [{ prediction: 0 }, { prediction: 1 }]
 */
export function answerRows(
  answer: JsonValue,
  of: { readonly batch: number; readonly names: readonly string[] | undefined },
  recording: Recording,
): Cells[] {
  const { batch } = of;
  const form: RowForm = { stem: "prediction", names: of.names, lists: "columns" };
  if (isObject(answer)) {
    const { columns: named, data } = answer;
    if (isList(named) && isList(data) && data.length === batch) return splitRows(answer, form, recording);
    const wrapper = WRAPPERS.find((name) => isListOrObject(answer[name]));
    if (wrapper !== undefined) return answerRows(answer[wrapper] as JsonValue, of, recording); // found just now
    const columns = columnsOf(answer, batch);
    if (columns) return columnRows(columns, form, recording);
  }
  if (isList(answer) && answer.length === batch) return listRows(answer, form, recording);
  if (batch === 1) {
    const cells: Cells = {};
    putInstance(cells, answer, form, recording);
    return [cells];
  }
  const found = isList(answer) ? `a list of ${answer.length}` : isObject(answer) ? "an object" : "one value";
  throw new ServiceError("invalid-input", `the answer is ${found} and ${batch} instances were asked`);
}

/**
 * The outputs of each instance from an answer in CSV: a line per instance, or one line with a value per instance, as
 * XGBoost's container answers on SageMaker.
 *
 * @throws ServiceError `invalid-input` when there are neither as many lines nor as many values.
 */
export function csvAnswerRows(
  answer: Uint8Array,
  { batch, names }: { readonly batch: number; readonly names: readonly string[] | undefined },
  recording: Recording,
): Cells[] {
  const rows = csvRows(answer, { stem: "prediction", names }, recording);
  if (rows.length === batch) return rows;
  const values = rows.length === 1 ? Object.values(rows[0] as Cells) : []; // there is one
  if (values.length === batch) return values.map((prediction) => ({ prediction }));
  throw new ServiceError("invalid-input", `${rows.length} lines of CSV for ${batch} instances`);
}

function isListOrObject(value: JsonValue | undefined): boolean {
  return isList(value) || isObject(value);
}

/** The members with one element per instance; for one instance all, if any is a list of one. */
function columnsOf(answer: JsonObject, batch: number): JsonObject | undefined {
  const fitting = Object.entries(answer).filter(([, value]) => isList(value) && value.length === batch);
  if (fitting.length === 0) return undefined;
  if (batch !== 1) return Object.fromEntries(fitting);
  return Object.values(answer).every((value) => !isList(value) || value.length === 1) ? answer : undefined;
}
