import { ServiceError } from "../schema/errors.ts";
import type { Cells } from "./feature-value.ts";
import { isList, isObject, type JsonList, type JsonObject, type JsonValue } from "./json.ts";
import { listRows, putInstance, type RowForm, splitRows } from "./json-rows.ts";
import type { Recording } from "./recording.ts";

/** Members under which services take their rows, as a list of objects or of lists. `input_data` is Azure ML's. */
const WRAPPERS = ["rows", "records", "data", "samples", "items", "input_data", "Inputs", "features"] as const;

/**
 * The inputs of each instance of a request in JSON of no named protocol.
 *
 * - an object: one instance, its members the features;
 * - a list of objects, or of lists with names from the signature: one instance each;
 * - a list of bare values: one instance, or one each when the signature has a single name;
 * - an object with such a list under `rows`, `records`, `data`, `samples`, `items`, `input_data`, `Inputs` or `features`;
 * - an object with `columns` and `data`, also under one of these: a table in pandas' split form.
 *
 * @throws ServiceError `invalid-input` for a bare value, or a list that mixes objects and others.
 * @example
 * plainRows([[1, 2], [3, 4]], ["a", "b"], recording); // [{ a: 1, b: 2 }, { a: 3, b: 4 }]
 */
export function plainRows(
  request: JsonValue,
  signature: readonly string[] | undefined,
  recording: Recording,
): Cells[] {
  const form: RowForm = { stem: "input", names: signature, lists: "whole" };
  if (isList(request)) return plainList(request, form, recording);
  if (!isObject(request)) throw new ServiceError("invalid-input", "the request is one bare value");
  if (isList(request.columns) && isList(request.data)) return splitRows(request, form, recording);
  for (const name of WRAPPERS) {
    const wrapped = request[name];
    if (isObject(wrapped) && isTable(wrapped)) return plainRows(wrapped, signature, recording);
    if (isList(wrapped) && (hasRows(wrapped) || name === "features"))
      return plainList(wrapped, form, recording);
  }
  return listRows([request], form, recording);
}

/** Whether an object is a table in split form, or Azure's `{"data": [[…]]}`. */
function isTable({ data }: JsonObject): boolean {
  return isList(data) && hasRows(data);
}

function hasRows(list: JsonList): boolean {
  return list.length > 0 && list.every((item) => typeof item === "object" && item !== null);
}

function plainList(list: JsonList, form: RowForm, recording: Recording): Cells[] {
  if (list.every(isObject) || list.every((item) => isList(item))) return listRows(list, form, recording);
  if (list.some((item) => typeof item === "object" && item !== null))
    throw new ServiceError(
      "invalid-input",
      "the request is a list that mixes objects, lists and bare values",
    );
  if (form.names?.length === 1) return listRows(list, form, recording);
  const cells: Cells = {};
  putInstance(cells, list, form, recording);
  return [cells];
}
