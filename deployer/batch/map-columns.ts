import { ServiceError } from "../../schema/errors.ts";
import type { ModelSignature, TensorSpec } from "../../schema/signature.ts";
import type { RuntimeDatatype } from "../onnx/raw-tensor.ts";

/** An input of a model, and the columns of a table that it is made of: one for each element of a row. */
export interface MappedInput {
  readonly name: string;
  readonly datatype: RuntimeDatatype;
  readonly columns: readonly string[];
  /** `matrix`: rows by columns; `vector`: rows alone. */
  readonly form: "matrix" | "vector";
}

/**
 * Which columns of a table a model takes.
 *
 * A model with one matrix as input takes those that `feature_names` name; without names all columns of the table when
 * they are as many, in their order. One with several inputs of one element takes a column of the name of each.
 *
 * @param columns - Of the table, in order.
 * @param chosen - Columns for the one matrix, in its order, instead of the above.
 * @throws ServiceError `invalid-input`, naming what is missing and the way out.
 * @example
 * mapColumns(signature, ["id", "b", "a"])[0]?.columns; // ["a", "b"] for a matrix with feature_names ["a", "b"]
 */
export function mapColumns(
  signature: ModelSignature,
  columns: readonly string[],
  chosen?: readonly string[],
): MappedInput[] {
  const { inputs, feature_names: names } = signature;
  const [only] = inputs;
  if (inputs.length === 1 && only && only.shape.length === 2 && only.shape[1] !== 1) {
    const width = only.shape[1];
    const wanted = chosen ?? names ?? (columns.length === width ? columns : undefined);
    if (!wanted)
      throw new ServiceError(
        "invalid-input",
        `the model takes ${typeof width === "number" && width >= 0 ? width : "some"} columns and does not name them, and the file has ${columns.length}: name them in the model's order with --columns`,
      );
    if (typeof width === "number" && width >= 0 && wanted.length !== width)
      throw new ServiceError(
        "invalid-input",
        `the model takes ${width} columns, and ${wanted.length} are named`,
      );
    return [mapped(only, wanted, columns, "matrix")];
  }
  if (chosen && inputs.length > 1)
    throw new ServiceError(
      "invalid-input",
      "--columns is for models with one input: this one takes columns by name",
    );
  return inputs.map((spec) => {
    const [, ...inner] = spec.shape;
    if (inner.some((length) => length !== 1))
      throw new ServiceError(
        "invalid-input",
        `input "${spec.name}" is of shape [${spec.shape.join(", ")}]: only models that take a row of columns can score a table`,
      );
    return mapped(
      spec,
      chosen ?? [columnOf(spec, signature)],
      columns,
      inner.length === 0 ? "vector" : "matrix",
    );
  });
}

function columnOf({ name }: TensorSpec, { inputs, feature_names: names }: ModelSignature): string {
  return inputs.length === 1 && names?.length === 1 ? (names[0] as string) : name; // one
}

function mapped(
  { name, datatype }: TensorSpec,
  wanted: readonly string[],
  columns: readonly string[],
  form: MappedInput["form"],
): MappedInput {
  const missing = wanted.filter((column) => !columns.includes(column));
  if (missing.length > 0)
    throw new ServiceError(
      "invalid-input",
      `the file has no column ${missing.map((column) => `"${column}"`).join(", ")}, which the model takes: it has ${columns.join(", ")}`,
    );
  return { name, datatype: datatype as RuntimeDatatype, columns: wanted, form }; // of a loaded model
}
