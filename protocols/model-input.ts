import { ServiceError } from "../schema/errors.ts";
import type { ModelSignature, TensorSpec } from "../schema/signature.ts";
import { isList, isObject, type JsonList, type JsonObject, type JsonValue } from "./json.ts";
import { short, type Tensor } from "./tensor.ts";
import { readElements } from "./tensor-json.ts";

/** Inputs of one run of a model. */
export type RunInputs = readonly Tensor[];

/**
 * Instances in JSON as the tensors that a model takes: one run for all, or one each for a model without a batch.
 *
 * An instance is the value of the model's one input, or an object. Its members are the inputs by name, or the columns of
 * the one input matrix by `feature_names` (members that are no column are not looked at), or as many as the matrix has
 * columns, in their order, when there are no such names.
 *
 * @throws ServiceError `invalid-input`, naming row and column, when an instance does not go with the signature.
 * @example
 * // one input x of [-1, 2] FP32, feature_names ["age", "income"]
 * rowsToInputs([{ income: 9, age: 3 }], signature)[0]?.[0]?.values; // [3, 9]
 */
export function rowsToInputs(rows: JsonList, signature: ModelSignature): readonly RunInputs[] {
  if (rows.length === 0) throw new ServiceError("invalid-input", "the request holds no instances");
  const { inputs } = signature;
  if (inputs.every(isBatched)) return [inputs.map((spec) => stacked(spec, valuesOf(rows, spec, signature)))];
  return rows.map((row) =>
    inputs.map((spec) => single(spec, valuesOf([row], spec, signature)[0] as JsonValue)),
  ); // one
}

/**
 * Inputs given as whole tensors in nested lists, by name or, for a model with one input, alone.
 *
 * @throws ServiceError `invalid-input` when one is missing, or its shape is not the signature's.
 * @example
 * columnsToInputs({ x: [[1, 2], [3, 4]] }, signature)[0]?.shape; // [2, 2]
 */
export function columnsToInputs(columns: JsonValue, signature: ModelSignature): readonly RunInputs[] {
  const { inputs } = signature;
  const [only] = inputs;
  if (!isObject(columns)) {
    if (inputs.length !== 1 || !only)
      throw new ServiceError(
        "invalid-input",
        `the model has the inputs ${namesOf(inputs)}: give them by name`,
      );
    return [[whole(only, columns)]];
  }
  if (inputs.every(({ name }) => Object.hasOwn(columns, name)))
    return [inputs.map((spec) => whole(spec, columns[spec.name] as JsonValue))]; // there, see above
  return rowsToInputs(rowsOfColumns(columns), signature);
}

/** Columns of equal length as instances. */
function rowsOfColumns(columns: JsonObject): JsonObject[] {
  const entries = Object.entries(columns);
  const [length = 1] = entries.flatMap(([, column]) => (isList(column) ? [column.length] : []));
  return Array.from({ length }, (_, row) =>
    Object.fromEntries(
      entries.map(([name, column]) => {
        if (!isList(column)) return [name, column];
        const value = column[row];
        if (column.length === length && value !== undefined) return [name, value];
        throw new ServiceError(
          "invalid-input",
          `the columns differ in length: "${short(name)}" has ${column.length} and another has ${length}`,
        );
      }),
    ),
  );
}

function isBatched({ shape: [first] }: TensorSpec): boolean {
  return first === -1 || typeof first === "string";
}

function isOpen(length: number | string | undefined): boolean {
  return length === -1 || typeof length === "string";
}

/** Columns of a matrix of instances; undefined for an input of another shape. */
function widthOf({ shape }: TensorSpec): number | undefined {
  const [, width] = shape;
  return shape.length === 2 && typeof width === "number" && width >= 0 ? width : undefined;
}

/** The value of each row for one input. */
function valuesOf(rows: JsonList, spec: TensorSpec, signature: ModelSignature): JsonValue[] {
  return rows.map((row, at) => {
    if (!isObject(row)) {
      if (signature.inputs.length === 1) return row;
      throw new ServiceError(
        "invalid-input",
        `row ${at} is no object, and the model has the inputs ${namesOf(signature.inputs)}`,
      );
    }
    if (Object.hasOwn(row, spec.name)) return row[spec.name] as JsonValue; // own
    const names =
      signature.inputs.length === 1 ? (signature.feature_names ?? orderedNames(rows, spec)) : undefined;
    if (!names && signature.inputs.length === 1 && widthOf(spec) !== undefined)
      throw new ServiceError(
        "invalid-input",
        `row ${at} has ${Object.keys(row).length} columns and input "${short(spec.name)}" of the model takes ${widthOf(spec)}: send as many, or {"${short(spec.name)}": [...]} with all values of a row`,
      );
    if (!names)
      throw new ServiceError(
        "invalid-input",
        `row ${at} has no "${short(spec.name)}": the model has the inputs ${namesOf(signature.inputs)}`,
      );
    return names.map((name) => {
      if (Object.hasOwn(row, name)) return row[name] as JsonValue; // own
      throw new ServiceError("invalid-input", `row ${at} has no column "${short(name)}"`);
    });
  });
}

/** The columns as the first row has them, if they are as many as the matrix takes. */
function orderedNames(rows: JsonList, spec: TensorSpec): readonly string[] | undefined {
  const [first] = rows;
  const names = isObject(first) ? Object.keys(first) : [];
  if (names.length !== widthOf(spec)) return undefined;
  // Members of a JavaScript object that are called by whole numbers come first, and in the order of these.
  const number = names.find((name, at) => /^(?:0|[1-9]\d*)$/.test(name) && name !== String(at));
  if (number !== undefined)
    throw new ServiceError(
      "invalid-input",
      `the order of columns called by numbers ("${short(number)}") is lost in JSON objects: register the model with feature_names, or send lists of values`,
    );
  return names;
}

function namesOf(inputs: readonly TensorSpec[]): string {
  return inputs.map(({ name }) => `"${short(name)}"`).join(", ");
}

/** One tensor of a batch of values, each in the shape of an instance or a bare value where that has one element. */
function stacked(spec: TensorSpec, values: readonly JsonValue[]): Tensor {
  const [, ...inner] = spec.shape;
  const found = shapeOf(values[0] as JsonValue); // there is one
  const bare =
    found.length < inner.length &&
    product(found) === 1 &&
    inner.every((length) => length === 1 || isOpen(length));
  const one = bare ? inner.map(() => 1) : found;
  const shape = [values.length, ...one];
  checkShape(spec, shape);
  return {
    name: spec.name,
    datatype: spec.datatype,
    shape,
    values: elements(spec, values, bare ? found : one, shape),
  };
}

/** One instance of a model that takes no batch: in the shape of its input, or of that without leading ones. */
function single(spec: TensorSpec, value: JsonValue): Tensor {
  const found = shapeOf(value);
  const lead = spec.shape.slice(0, spec.shape.length - found.length);
  const shape = lead.every((length) => length === 1) ? [...lead.map(() => 1), ...found] : found;
  checkShape(spec, shape);
  return { name: spec.name, datatype: spec.datatype, shape, values: elements(spec, [value], found, shape) };
}

function whole(spec: TensorSpec, value: JsonValue): Tensor {
  const found = shapeOf(value);
  // A list of bare values for a matrix of one column.
  const shape = found.length === 1 && spec.shape.length === 2 && spec.shape[1] === 1 ? [...found, 1] : found;
  checkShape(spec, shape);
  return { name: spec.name, datatype: spec.datatype, shape, values: elements(spec, [value], found, shape) };
}

function elements(
  { name, datatype }: TensorSpec,
  values: readonly JsonValue[],
  each: readonly number[],
  shape: readonly number[],
): Tensor["values"] {
  values.forEach((value, at) => {
    if (!hasShape(value, each, 0))
      throw new ServiceError(
        "invalid-input",
        `input "${short(name)}": row ${at} is not of shape [${each}] as the first`,
      );
  });
  const data = datatype === "BYTES" || datatype === "BOOL" ? values : values.map(withoutBooleans);
  return readElements({ data, count: product(shape), datatype, tensor: name });
}

/** Tables know yes and no where a model knows numbers. */
function withoutBooleans(value: JsonValue): JsonValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  return isList(value) && value.some((item) => typeof item === "boolean" || isList(item))
    ? value.map(withoutBooleans)
    : value;
}

function product(shape: readonly number[]): number {
  return shape.reduce((all, length) => all * length, 1);
}

function shapeOf(value: JsonValue): number[] {
  const shape: number[] = [];
  for (let at: JsonValue | undefined = value; isList(at); at = at[0]) shape.push(at.length);
  return shape;
}

function hasShape(value: JsonValue, shape: readonly number[], from: number): boolean {
  if (from === shape.length) return !isList(value) && !isObject(value);
  return (
    isList(value) && value.length === shape[from] && value.every((item) => hasShape(item, shape, from + 1))
  );
}

/**
 * Whether a tensor of this shape can go into an input.
 *
 * @throws ServiceError `invalid-input`, naming both shapes, when it cannot.
 */
export function checkShape(spec: TensorSpec, shape: readonly number[]): void {
  const fits =
    shape.length === spec.shape.length &&
    shape.every((length, at) => isOpen(spec.shape[at]) || spec.shape[at] === length);
  if (!fits)
    throw new ServiceError(
      "invalid-input",
      `input "${short(spec.name)}" is of shape [${shape}] and the model takes [${spec.shape.join(", ")}]`,
    );
}
