import { ServiceError } from "../schema/errors.ts";
import { columnNames } from "./column-names.ts";
import type { FeatureValue } from "./exchange.ts";
import { base64Bytes, type Cells, jsonCell, putCell, sharedCell } from "./feature-value.ts";
import { isList, isObject, type JsonList, type JsonObject, type JsonValue } from "./json.ts";
import { checkRows, type Recording } from "./recording.ts";
import { short } from "./tensor.ts";

/** How the values of rows become columns. */
export interface RowForm {
  /** Name of a bare value and stem of the names of a nameless vector: `input`, `prediction`. */
  readonly stem: string;
  /** Names for the elements of a nameless vector, from the model's signature. */
  readonly names: readonly string[] | undefined;
  /** Whether a list under a name becomes a column per element, as of a tensor, or stays one value, as of a record. */
  readonly lists: "columns" | "whole";
}

/**
 * One row per element of a list: an object gives its members, a list the elements of a vector, anything else one value.
 *
 * @throws ServiceError `invalid-input` when two columns get one name; `too-large` by the limits.
 * @example
 * listRows([[1, 2], [3, 4]], { stem: "input", names: ["a", "b"], lists: "whole" }, recording);
 * // [{ a: 1, b: 2 }, { a: 3, b: 4 }]
 */
export function listRows(list: JsonList, form: RowForm, recording: Recording): Cells[] {
  checkRows(list.length, recording);
  return list.map((item) => {
    const cells: Cells = {};
    putInstance(cells, item, form, recording);
    return cells;
  });
}

/**
 * Rows of columns given by name, each a list with one element per row. A bare value belongs to every row.
 *
 * @throws ServiceError `invalid-input` when the lists differ in length, or there are several rows and a column is an
 *   object; `too-large` by the limits.
 * @example
 * columnRows({ a: [1, 2], b: [[3], [4]] }, { stem: "input", names: undefined, lists: "columns" }, recording);
 * // [{ a: 1, b: 3 }, { a: 2, b: 4 }]
 */
export function columnRows(columns: JsonObject, form: RowForm, recording: Recording): Cells[] {
  const lengths = new Set(
    Object.values(columns).flatMap((column) => (isList(column) ? [column.length] : [])),
  );
  if (lengths.size > 1)
    throw new ServiceError(
      "invalid-input",
      `the columns differ in length: ${[...lengths].slice(0, 5).join(", ")}`,
    );
  const [rows = 1] = lengths;
  checkRows(rows, recording);
  const ofEach: (readonly [string, JsonList])[] = [];
  const ofAll: (readonly [string, FeatureValue])[] = [];
  for (const [name, column] of Object.entries(columns)) {
    if (isList(column)) ofEach.push([name, column]);
    else if (!isObject(column)) ofAll.push([name, sharedCell(column, recording)]);
    else if (rows === 1) ofAll.push([name, jsonCell(column, recording)]);
    else
      throw new ServiceError("invalid-input", `column "${short(name)}" is an object and no list of ${rows}`);
  }
  return Array.from({ length: rows }, (_, row) => {
    const cells: Cells = {};
    for (const [name, column] of ofEach)
      putNamed(cells, { name, value: column[row] as JsonValue }, form, recording); // as long as there are rows
    for (const [name, cell] of ofAll) putCell(cells, name, cell, recording);
    return cells;
  });
}

/** Adds what one instance holds to its row. */
export function putInstance(cells: Cells, item: JsonValue, form: RowForm, recording: Recording): void {
  if (isObject(item) && base64Bytes(item) === undefined) {
    for (const [name, value] of Object.entries(item)) putNamed(cells, { name, value }, form, recording);
    return;
  }
  const vector = isList(item) && isVector(item, recording) ? item : undefined;
  const names = columnNames(form.stem, vector?.length ?? 1, form.names);
  if (vector)
    vector.forEach((value, at) => {
      putCell(cells, names[at] as string, jsonCell(value, recording), recording);
    });
  else putCell(cells, names[0] as string, jsonCell(item, recording), recording);
}

function putNamed(
  cells: Cells,
  { name, value }: { readonly name: string; readonly value: JsonValue },
  form: RowForm,
  recording: Recording,
): void {
  if (form.lists === "columns" && isList(value) && value.length > 0 && isVector(value, recording))
    putInstance(cells, value, { ...form, stem: name, names: undefined }, recording);
  else putCell(cells, name, jsonCell(value, recording), recording);
}

/** A list that becomes a column per element: not too wide, and of scalars. */
function isVector(list: JsonList, { limits }: Recording): boolean {
  return (
    list.length <= limits.columnsPerTensor && list.every((item) => item === null || typeof item !== "object")
  );
}

/**
 * Rows of a table in split form: `columns` once, `data` a list of values per row.
 *
 * @throws ServiceError `invalid-input` when a row is no list or has not one value per column.
 * @example
 * splitRows({ columns: ["a", "b"], data: [[1, 2]] }, form, recording); // [{ a: 1, b: 2 }]
 */
export function splitRows(table: JsonObject, form: RowForm, recording: Recording): Cells[] {
  const { columns, data } = table;
  if (!isList(data))
    throw new ServiceError("invalid-input", "a table in split form without a list called data");
  if (columns === undefined) return listRows(data, form, recording);
  if (!isList(columns))
    throw new ServiceError("invalid-input", "columns of a table in split form is no list");
  checkRows(data.length, recording);
  const names = columns.map((name) => (typeof name === "string" ? name : JSON.stringify(name, digits)));
  return data.map((values, row) => {
    if (!isList(values) || values.length !== names.length)
      throw new ServiceError(
        "invalid-input",
        `row ${row} has ${isList(values) ? values.length : "no list of"} values and there are ${names.length} columns`,
      );
    const cells: Cells = {};
    names.forEach((name, at) => {
      putCell(cells, name, jsonCell(values[at] as JsonValue, recording), recording);
    });
    return cells;
  });
}

function digits(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? short(value.toString()) : value;
}
