import { ServiceError } from "../schema/errors.ts";
import type { ModelSignature } from "../schema/signature.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { jsonElements, nestedElements } from "./json-elements.ts";
import { short, type Tensor } from "./tensor.ts";

/** How many instances are in outputs that were asked for `batch`: a model without a batch gives one. */
function rowsOf({ shape }: Tensor, batch: number): "batched" | "whole" | "odd" {
  if (shape[0] === batch) return "batched";
  return batch === 1 ? "whole" : "odd";
}

/** The output whose columns are the classes; undefined when there is none, or more than one could be. */
export function classOutput(
  outputs: readonly Tensor[],
  { class_labels }: Pick<ModelSignature, "class_labels">,
): string | undefined {
  if (!class_labels) return undefined;
  const fitting = outputs.filter(
    ({ shape, datatype }) => shape.length === 2 && shape[1] === class_labels.length && /^FP/.test(datatype),
  );
  return fitting.length === 1 ? fitting[0]?.name : undefined;
}

/**
 * Outputs as one answer per instance: the bare value for a model with one output, an object by name for several. The
 * probabilities of classes whose names are known are an object by class, as scikit-learn's converter has them.
 *
 * @throws ServiceError `invalid-input` when an output goes with no such number of instances.
 * @example
 * // outputs label ["UP"] and p [[0.2, 0.8]], class_labels ["DOWN", "UP"]
 * answerRowsOf(outputs, 1, signature); // [{ label: "UP", p: { DOWN: 0.2, UP: 0.8 } }]
 */
export function answerRowsOf(
  outputs: readonly Tensor[],
  batch: number,
  signature: Pick<ModelSignature, "class_labels">,
): JsonValue[] {
  const classes = classOutput(outputs, signature);
  const columns = outputs.map((tensor): readonly [string, readonly JsonValue[]] => {
    const rows = rowsOf(tensor, batch);
    if (rows === "odd")
      throw new ServiceError(
        "invalid-input",
        `output "${short(tensor.name)}" of shape [${tensor.shape}] does not go with ${batch} instances: ask in column form, or by V2`,
      );
    const values = jsonElements(tensor.values, tensor.name);
    if (rows === "whole") return [tensor.name, [nestedElements(values, tensor.shape)]];
    const inner = tensor.shape.slice(1);
    const width = values.length / batch;
    const names = tensor.name === classes ? signature.class_labels : undefined;
    return [
      tensor.name,
      Array.from({ length: batch }, (_, row): JsonValue => {
        const own = values.slice(row * width, (row + 1) * width);
        return names
          ? Object.fromEntries(names.map((name, at) => [String(name), own[at] ?? null]))
          : nestedElements(own, inner);
      }),
    ];
  });
  const [only] = columns;
  if (columns.length === 1 && only) return [...only[1]];
  return Array.from(
    { length: batch },
    (_, row) => Object.fromEntries(columns.map(([name, values]) => [name, values[row] as JsonValue])), // one per row
  );
}

/** Outputs as whole tensors in nested lists: the tensor of a model with one output, an object by name for several. */
export function answerColumnsOf(outputs: readonly Tensor[]): JsonValue {
  const entries = outputs.map(({ name, shape, values }): readonly [string, JsonValue] => [
    name,
    nestedElements(jsonElements(values, name), shape),
  ]);
  const [only] = entries;
  return entries.length === 1 && only ? only[1] : (Object.fromEntries(entries) as JsonObject);
}
