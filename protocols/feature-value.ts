import { ServiceError } from "../schema/errors.ts";
import { bytesOfBase64 } from "./base64.ts";
import type { FeatureValue } from "./exchange.ts";
import { isList, isObject, type JsonObject, type JsonValue, writeJson } from "./json.ts";
import { setOwn } from "./own-property.ts";
import type { Recording } from "./recording.ts";
import { short, type TensorValue } from "./tensor.ts";
import { textOrBytes } from "./tensor-binary.ts";

/** A row's features or outputs while they are gathered. */
export type Cells = Record<string, FeatureValue>;

/** As `featureName` has it: a longer one would be refused when the row is stored, and is repeated in every row. */
const LONGEST_NAME = 256;

/** Longest text that belongs to all rows of a request and is repeated in each. */
const LONGEST_SHARED_TEXT = 256;

/**
 * Adds a column to a row.
 *
 * @throws ServiceError `invalid-input` when the row has a column of that name already or the name is too long;
 *   `too-large` by the recording.
 */
export function putCell(cells: Cells, name: string, value: FeatureValue, recording: Recording): void {
  if (name.length > LONGEST_NAME)
    throw new ServiceError(
      "invalid-input",
      `a column name of ${name.length} characters, and ${LONGEST_NAME} are allowed`,
    );
  if (Object.hasOwn(cells, name))
    throw new ServiceError("invalid-input", `two columns are called "${short(name)}"`);
  recording.spend(1);
  setOwn(cells, name, value);
}

/** A scalar as it is recorded: NaN is a missing value, infinities are texts, long texts and raw bytes a digest. */
export function scalarCell(value: TensorValue | null, recording: Recording): FeatureValue {
  if (typeof value === "number") {
    if (Number.isNaN(value)) return null;
    return Number.isFinite(value) ? value : String(value);
  }
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (value instanceof Uint8Array) return bytesCell(value, recording);
  if (typeof value === "string" && value.length > recording.limits.textLength)
    return bytesCell(new TextEncoder().encode(value), recording);
  return value;
}

/** A scalar that all rows of a request share: as `scalarCell`, a text of more than 256 characters as its digest. */
export function sharedCell(value: TensorValue | null, recording: Recording): FeatureValue {
  const textLength = Math.min(recording.limits.textLength, LONGEST_SHARED_TEXT);
  return scalarCell(value, { ...recording, limits: { ...recording.limits, textLength } });
}

/**
 * A JSON value as it is recorded: scalars by `scalarCell`, `{"b64": …}` by its bytes, lists and objects as they are when
 * they hold no more than `limits.columnsPerTensor` values, otherwise as shape and digest.
 */
export function jsonCell(value: JsonValue, recording: Recording): FeatureValue {
  if (!isList(value) && !isObject(value)) return scalarCell(value, recording);
  const bytes = isObject(value) ? base64Bytes(value) : undefined;
  if (bytes) return scalarCell(textOrBytes(bytes), recording);
  if (countLeaves(value) > recording.limits.columnsPerTensor)
    return digestCell(
      { datatype: "JSON", shape: shapeOf(value) ?? [] },
      new TextEncoder().encode(writeJson(value)),
      recording,
    );
  return nestedCell(value, recording);
}

function nestedCell(value: JsonValue, recording: Recording): FeatureValue {
  recording.spend(1);
  if (isList(value)) return value.map((item) => nestedCell(item, recording));
  if (!isObject(value)) return scalarCell(value, recording);
  const cells: Cells = {};
  for (const [key, item] of Object.entries(value)) setOwn(cells, key, nestedCell(item, recording));
  return cells;
}

/** Shape and digest instead of the values. The digest is of the values in little-endian order, or of the JSON text. */
export function digestCell(
  what: { readonly datatype: string; readonly shape: readonly number[] },
  bytes: Uint8Array,
  recording: Recording,
): FeatureValue {
  return { ...what, bytes: bytes.length, digest: recording.digest(bytes) };
}

function bytesCell(bytes: Uint8Array, recording: Recording): FeatureValue {
  return digestCell({ datatype: "BYTES", shape: [] }, bytes, recording);
}

/** The bytes of TensorFlow Serving's `{"b64": "…"}`; undefined for any other object. */
export function base64Bytes(value: JsonObject): Uint8Array | undefined {
  return Object.keys(value).length === 1 && typeof value.b64 === "string"
    ? bytesOfBase64(value.b64)
    : undefined;
}

/** Values in a list or object at any depth, an empty one counted as one. */
function countLeaves(value: JsonValue): number {
  if (!isList(value) && !isObject(value)) return 1;
  let leaves = 0;
  for (const item of isList(value) ? value : Object.values(value)) leaves += countLeaves(item);
  return Math.max(leaves, 1);
}

/** Lengths per dimension of a regular nested list; undefined when rows differ in length or depth. */
function shapeOf(value: JsonValue): readonly number[] | undefined {
  if (!isList(value)) return [];
  const [first, ...rest] = value.map(shapeOf);
  if (value.length === 0) return [0];
  if (first === undefined) return undefined;
  const same = rest.every(
    (shape) => shape?.length === first.length && shape.every((n, at) => n === first[at]),
  );
  return same ? [value.length, ...first] : undefined;
}
