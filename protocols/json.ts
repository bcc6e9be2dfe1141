import { ServiceError } from "../schema/errors.ts";
import { readJson } from "./json-reader.ts";
import { scanJson } from "./json-scan.ts";

/** JSON with whole numbers of any size and, as Python writes them, NaN and infinities. */
export type JsonValue = string | number | bigint | boolean | null | JsonList | JsonObject;
export type JsonList = readonly JsonValue[];
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/**
 * The value of a JSON text in UTF-8.
 *
 * Beyond `JSON.parse` it keeps whole numbers beyond 2^53 exact, as `bigint`, and takes the bare words `NaN`,
 * `Infinity` and `-Infinity`, which Python's `json` and TensorFlow Serving write. A key `__proto__` is a key like any.
 *
 * @param nesting - Deepest nesting of lists and objects; checked before anything is built.
 * @throws ServiceError `invalid-input` when it is not UTF-8, not JSON or nested too deeply.
 * @see RFC 8259.
 * @example
 * parseJson(new TextEncoder().encode("[9007199254740993, NaN, 1]"), 64); // [9007199254740993n, NaN, 1]
 */
export function parseJson(bytes: Uint8Array, nesting: number): JsonValue {
  const scan = scanJson(bytes);
  if (scan.depth > nesting)
    throw new ServiceError("invalid-input", `the JSON is nested more than ${nesting} levels deep`);
  const text = decodeUtf8(bytes);
  if (scan.beyond === "extended") return readJson(text);
  try {
    return JSON.parse(text) as JsonValue; // what JSON.parse makes is all in JsonValue
  } catch (error) {
    throw new ServiceError("invalid-input", `not JSON: ${error instanceof Error ? error.message : "syntax"}`);
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** @throws ServiceError `invalid-input` when the bytes are not UTF-8. A byte order mark is dropped. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new ServiceError("invalid-input", "the text is not UTF-8");
  }
}

/** What `writeJson` takes: members that are undefined are left out, as `JSON.stringify` does. */
type Writable = JsonValue | readonly Writable[] | { readonly [key: string]: Writable | undefined };

/**
 * The JSON text of a value: a `bigint` as its digits; NaN and infinities, which JSON lacks, as texts.
 *
 * @example
 * writeJson({ id: 9007199254740993n, x: Number.NaN }); // '{"id":9007199254740993,"x":"NaN"}'
 */
export function writeJson(value: Writable): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return Number.isFinite(value) ? numberText(value) : `"${value}"`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`;
  const members = Object.entries(value).flatMap(([key, item]) =>
    item === undefined ? [] : [`${JSON.stringify(key)}:${writeJson(item)}`],
  );
  return `{${members.join(",")}}`;
}

/** Digits that read back as the same number: a large whole one in exponent form, lest it come back as a bigint. */
function numberText(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : String(value);
}

export function isList(value: JsonValue | undefined): value is JsonList {
  return Array.isArray(value);
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
