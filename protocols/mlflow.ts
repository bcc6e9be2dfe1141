import { ServiceError } from "../schema/errors.ts";
import type { Cells } from "./feature-value.ts";
import { isList, isObject, type JsonObject } from "./json.ts";
import { listRows, type RowForm, splitRows } from "./json-rows.ts";
import type { Recording } from "./recording.ts";
import { servingRows, writeServing } from "./tensorflow-serving.ts";

/** Members of which an MLflow request has exactly one. */
export const mlflowForms = ["dataframe_split", "dataframe_records", "instances", "inputs"] as const;

export type MlflowForm = (typeof mlflowForms)[number];

/**
 * The inputs of each instance of an MLflow `/invocations` request in JSON. `params` are the call's, not an instance's.
 *
 * @param signature - Names for the elements of a nameless vector.
 * @throws ServiceError `invalid-input` when it has not exactly one of the four forms, or the form is not as it should.
 * @see mlflow, mlflow/pyfunc/scoring_server/__init__.py.
 * @example
 * mlflowRows({ dataframe_split: { columns: ["a", "b"], data: [[1, 2]] } }, undefined, recording); // [{ a: 1, b: 2 }]
 */
export function mlflowRows(
  request: JsonObject,
  signature: readonly string[] | undefined,
  recording: Recording,
): Cells[] {
  const found = mlflowForms.filter((form) => Object.hasOwn(request, form));
  const [form] = found;
  if (form === undefined || found.length > 1)
    throw new ServiceError(
      "invalid-input",
      `expected exactly one of ${mlflowForms.join(", ")}, found ${found.join(", ") || "none"}`,
    );
  const rowForm: RowForm = { stem: "input", names: signature, lists: "whole" };
  const content = request[form];
  if (form === "dataframe_split") {
    if (isObject(content)) return splitRows(content, rowForm, recording);
    throw new ServiceError("invalid-input", "dataframe_split is no object with columns and data");
  }
  if (form === "dataframe_records") {
    if (isList(content) && content.every(isObject)) return listRows(content, rowForm, recording);
    throw new ServiceError("invalid-input", "dataframe_records is no list of objects");
  }
  return servingRows(request, signature, recording);
}

/** An MLflow request of rows that all have the same columns: what `mlflowRows` reads back. */
export function writeMlflow(rows: readonly JsonObject[], form: MlflowForm): JsonObject {
  const columns = Object.keys(rows[0] ?? {});
  switch (form) {
    case "dataframe_split":
      return {
        dataframe_split: { columns, data: rows.map((row) => columns.map((name) => row[name] ?? null)) },
      };
    case "dataframe_records":
      return { dataframe_records: rows };
    case "instances":
      return writeServing(rows, "row");
    case "inputs":
      return writeServing(rows, "column");
  }
}
