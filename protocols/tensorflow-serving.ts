import { ServiceError } from "../schema/errors.ts";
import type { Cells } from "./feature-value.ts";
import { isList, isObject, type JsonObject, type JsonValue } from "./json.ts";
import { columnRows, listRows, type RowForm } from "./json-rows.ts";
import type { Recording } from "./recording.ts";

/**
 * The inputs of each instance of a TensorFlow Serving or KServe V1 request.
 *
 * Row form: `{"instances": [...]}`, an object per instance or, for a model with one input, its value. Column form:
 * `{"inputs": tensor}` or `{"inputs": {name: tensor}}`, the first dimension being the batch.
 *
 * @param signature - Names for the elements of a nameless vector; a bare value without one is called `input`.
 * @throws ServiceError `invalid-input` when it has neither or both members, or columns differ in length.
 * @see tensorflow/serving, g3doc/api_rest.md, Predict API; kserve, v1_endpoints.py.
 * @example
 * servingRows({ instances: [{ age: 3 }, { age: 4 }] }, undefined, recording); // [{ age: 3 }, { age: 4 }]
 * servingRows({ inputs: { age: [3, 4] } }, undefined, recording); // the same
 */
export function servingRows(
  request: JsonObject,
  signature: readonly string[] | undefined,
  recording: Recording,
): Cells[] {
  const form: RowForm = { stem: "input", names: signature, lists: "columns" };
  const { instances, inputs } = request;
  if ((instances === undefined) === (inputs === undefined))
    throw new ServiceError("invalid-input", "expected exactly one of instances and inputs");
  if (instances !== undefined) {
    if (isList(instances)) return listRows(instances, form, recording);
    throw new ServiceError("invalid-input", "instances is no list");
  }
  if (isList(inputs)) return listRows(inputs, form, recording);
  if (isObject(inputs)) return columnRows(inputs, form, recording);
  return listRows([inputs as JsonValue], form, recording); // there, as checked above
}

/** A V1 request in row or column form of rows that all have the same columns: what `servingRows` reads back. */
export function writeServing(rows: readonly JsonObject[], form: "row" | "column"): JsonObject {
  if (form === "row") return { instances: rows };
  const names = Object.keys(rows[0] ?? {});
  return { inputs: Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name] ?? null)])) };
}
