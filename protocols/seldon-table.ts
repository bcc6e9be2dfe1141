import { isList, isObject, type JsonList, type JsonObject, type JsonValue } from "./json.ts";

/**
 * Seldon Core's own payload, request and answer alike, as a table in split form: `columns` (when it names them) and `data`.
 * Undefined when the body is none.
 *
 * @see Seldon Core v1, prediction.proto: `DefaultData` is `names` and one of `ndarray` and `tensor`.
 * @example
 * seldonTable({ data: { names: ["a", "b"], tensor: { shape: [1, 2], values: [3, 4] } } }); // { columns: ["a", "b"], data: [[3, 4]] }
 */
export function seldonTable(body: JsonValue): JsonObject | undefined {
  const data = isObject(body) ? body.data : undefined;
  if (!isObject(data)) return undefined;
  const rows = isList(data.ndarray) ? data.ndarray : isObject(data.tensor) ? matrix(data.tensor) : undefined;
  if (!rows) return undefined;
  const { names } = data;
  const fits = isList(names) && rows.every((row) => isList(row) && row.length === names.length);
  return { ...(fits ? { columns: names } : {}), data: rows };
}

/** A tensor of two dimensions as rows. */
function matrix({ shape, values }: JsonObject): JsonList | undefined {
  if (!isList(shape) || !isList(values) || shape.length !== 2) return undefined;
  const [rows, width] = shape;
  if (typeof rows !== "number" || typeof width !== "number" || width < 1) return undefined;
  if (rows * width !== values.length) return undefined;
  return Array.from({ length: rows }, (_, row) => values.slice(row * width, (row + 1) * width));
}
