import { ServiceError } from "../schema/errors.ts";
import { columnNames } from "./column-names.ts";
import type { FeatureValue } from "./exchange.ts";
import { type Cells, digestCell, putCell, scalarCell, sharedCell } from "./feature-value.ts";
import { checkRows, type Recording } from "./recording.ts";
import { short, type Tensor, type TensorValue } from "./tensor.ts";
import { writeBinary } from "./tensor-binary.ts";

/**
 * The inputs of each instance of a V2 request.
 *
 * The first dimension is the batch; a tensor with one element for a batch of several is shared by all. Each instance
 * of a vector `[n, k]` becomes k columns, of `[n]` and `[n, 1]` one; of a matrix or more it stays a nested list; beyond
 * `limits.columnsPerTensor` elements it is recorded as datatype, shape and digest.
 *
 * @param signature - Column names for a request with one tensor. One vector `[k]` with k names is one instance.
 * @throws ServiceError `invalid-input` when the tensors disagree on the batch or share names; `too-large` by the limits.
 * @example
 * // tensor x: shape [2, 2], values [1, 2, 3, 4], names ["a", "b"]
 * // -> [{ a: 1, b: 2 }, { a: 3, b: 4 }]
 */
export function inputRows(
  tensors: readonly Tensor[],
  signature: readonly string[] | undefined,
  recording: Recording,
): Cells[] {
  const [only] = tensors;
  if (!only) throw new ServiceError("invalid-input", "a request without inputs");
  const names = tensors.length === 1 ? signature : undefined;
  const oneVector = only.shape.length === 1 && only.shape[0] === names?.length && names?.length !== 1;
  const batch = oneVector ? 1 : batchOf(tensors);
  checkRows(batch, recording);
  const rows = Array.from({ length: batch }, (): Cells => ({}));
  for (const tensor of tensors) putTensor(rows, tensor, names, recording);
  return rows;
}

/**
 * The outputs of each instance of a V2 answer, as `inputRows`, given how many were asked.
 *
 * For one instance a tensor of any shape is its answer. For several, one that does not go with their number is left out,
 * with a note.
 */
export function outputRows(
  tensors: readonly Tensor[],
  batch: number,
  signature: readonly string[] | undefined,
  recording: Recording,
): { readonly rows: readonly Cells[]; readonly notes: readonly string[] } {
  const rows = Array.from({ length: batch }, (): Cells => ({}));
  const names = tensors.length === 1 ? signature : undefined;
  const fits = (tensor: Tensor) => batch === 1 || tensor.shape[0] === batch || tensor.values.length === 1;
  for (const tensor of tensors.filter(fits)) putTensor(rows, tensor, names, recording);
  const notes = tensors
    .filter((tensor) => !fits(tensor))
    .slice(0, MOST_NOTES)
    .map((t) => `output "${short(t.name)}" of shape [${t.shape}] does not go with ${batch} instances`);
  return { rows, notes };
}

const MOST_NOTES = 10;

function batchOf(tensors: readonly Tensor[]): number {
  const first = tensors.map(({ shape, values }) => (values.length === 1 ? 1 : (shape[0] ?? 1)));
  const some = tensors.some(({ shape, values }) => values.length !== 1 && shape[0] === 1);
  const several = [...new Set(first)].filter((length) => length !== 1 || some);
  if (several.length > 1)
    throw new ServiceError(
      "invalid-input",
      `the inputs disagree on the number of instances: ${several.slice(0, 5).join(", ")}`,
    );
  return several[0] ?? 1;
}

function putTensor(
  rows: readonly Cells[],
  tensor: Tensor,
  signature: readonly string[] | undefined,
  recording: Recording,
): void {
  const batched = tensor.shape[0] === rows.length;
  const shape = batched ? tensor.shape.slice(1) : tensor.shape;
  const width = batched && rows.length > 0 ? tensor.values.length / rows.length : tensor.values.length;
  if (width === 0) return;
  if (!batched && rows.length > 1) {
    const cell = sharedCell(tensor.values[0] as TensorValue, recording); // the only one, by batchOf
    for (const cells of rows) putCell(cells, tensor.name, cell, recording);
    return;
  }
  const asColumns = width <= recording.limits.columnsPerTensor && (shape.length <= 1 || width === 1);
  const names = asColumns ? columnNames(tensor.name, width, signature) : [];
  rows.forEach((cells, row) => {
    const from = row * width;
    if (asColumns)
      names.forEach((name, at) => {
        putCell(cells, name, scalarCell(tensor.values[from + at] as TensorValue, recording), recording);
      });
    else putCell(cells, tensor.name, wholeCell(tensor, { shape, from, width }, recording), recording);
  });
}

/** An instance that does not become columns. */
function wholeCell(
  { datatype, values }: Tensor,
  part: { readonly shape: readonly number[]; readonly from: number; readonly width: number },
  recording: Recording,
): FeatureValue {
  const elements: TensorValue[] = Array.prototype.slice.call(values, part.from, part.from + part.width);
  if (part.width > recording.limits.columnsPerTensor)
    return digestCell({ datatype, shape: part.shape }, writeBinary(datatype, elements), recording);
  recording.spend(part.width);
  return nested(
    elements.map((element) => scalarCell(element, recording)),
    part.shape,
  );
}

/** Row-major elements as nested lists of a shape of at least one dimension. */
function nested(elements: readonly FeatureValue[], shape: readonly number[]): FeatureValue {
  const [length = 1, ...inner] = shape;
  if (inner.length === 0) return elements;
  const width = elements.length / length;
  return Array.from({ length }, (_, at) => nested(elements.slice(at * width, (at + 1) * width), inner));
}
