import { ServiceError } from "../schema/errors.ts";
import type { JsonValue } from "./json.ts";
import { short, type TensorValue } from "./tensor.ts";

/**
 * The elements of a tensor as JSON has them: NaN and infinities, which JSON lacks, as texts, whole numbers of 64 bits as
 * numbers where these are exact.
 *
 * @throws ServiceError `invalid-input` for BYTES that are no UTF-8: there is no form for them in JSON.
 * @example
 * jsonElements(Float32Array.of(0.5, Number.NaN), "p"); // [0.5, "NaN"]
 */
export function jsonElements(values: ArrayLike<TensorValue>, tensor: string): JsonValue[] {
  const list: JsonValue[] = new Array(values.length);
  for (let at = 0; at < values.length; at++) list[at] = jsonElement(values[at] as TensorValue, tensor); // within bounds
  return list;
}

function jsonElement(value: TensorValue, tensor: string): JsonValue {
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (value instanceof Uint8Array)
    throw new ServiceError(
      "invalid-input",
      `output "${short(tensor)}" holds bytes that are no UTF-8: ask for binary tensors`,
    );
  return value;
}

/**
 * Row-major elements as nested lists; the element itself for the shape `[]`.
 *
 * @example
 * nestedElements([1, 2, 3, 4], [2, 2]); // [[1, 2], [3, 4]]
 */
export function nestedElements(elements: readonly JsonValue[], shape: readonly number[]): JsonValue {
  if (shape.length === 0) return elements[0] ?? null;
  if (shape.length === 1) return elements;
  const [length = 0, ...inner] = shape;
  const width = inner.reduce((product, each) => product * each, 1);
  return Array.from({ length }, (_, at) =>
    nestedElements(elements.slice(at * width, (at + 1) * width), inner),
  );
}
