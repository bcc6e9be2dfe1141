import { ServiceError } from "../schema/errors.ts";
import { splitCsv } from "./split-csv.ts";

/** Bodies of the requests, in the order they are sent. */
export interface Payloads {
  readonly bodies: readonly Uint8Array[];
  readonly contentType: string;
}

/** How a row of a CSV file becomes a body. */
export const rowForms = ["object", "instances", "dataframe_records", "list"] as const;
export type RowForm = (typeof rowForms)[number];

const MOST_BODIES = 10_000;
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * Reads bodies from the text of a file: a body per line (NDJSON), per element (JSON array), per row (CSV), or the whole
 * file (a JSON document that is not an array, and everything else).
 *
 * @param name - Name of the file; its ending says what it holds.
 * @throws ServiceError `invalid-input` with the line that is wrong.
 */
export function readPayloads(bytes: Uint8Array, name: string, rows: RowForm): Payloads {
  if (bytes.length > MOST_BYTES) {
    throw new ServiceError(
      "too-large",
      `${name} has ${bytes.length} bytes: at most ${MOST_BYTES} are sent as bodies`,
    );
  }
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase();
  if (ending === "ndjson" || ending === "jsonl") return json(lines(textOf(bytes), name));
  if (ending === "json") return json(elements(textOf(bytes), name));
  if (ending === "csv") return json(csvRows(textOf(bytes), name, rows));
  return { bodies: [bytes], contentType: "application/octet-stream" };
}

function json(texts: readonly string[]): Payloads {
  return {
    bodies: texts.slice(0, MOST_BODIES).map((text) => Buffer.from(text)),
    contentType: "application/json",
  };
}

function lines(text: string, name: string): string[] {
  const found: string[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      JSON.parse(line);
    } catch {
      throw new ServiceError("invalid-input", `${name} line ${i + 1} is not JSON: ${line.slice(0, 60)}`);
    }
    found.push(line.trim());
  }
  return notEmpty(found, name);
}

function elements(text: string, name: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ServiceError(
      "invalid-input",
      `${name} is not JSON: ${error instanceof Error ? error.message : ""}`,
    );
  }
  return Array.isArray(value)
    ? notEmpty(
        value.map((element) => JSON.stringify(element)),
        name,
      )
    : [JSON.stringify(value)];
}

function csvRows(text: string, name: string, form: RowForm): string[] {
  const [header = [], ...rows] = splitCsv(text);
  const bodies = rows.map((row, i) => {
    if (row.length !== header.length) {
      throw new ServiceError(
        "invalid-input",
        `${name} row ${i + 1} has ${row.length} fields, the header has ${header.length}`,
      );
    }
    const values = row.map(jsonValue);
    const object = Object.fromEntries(header.map((column, at) => [column, values[at]]));
    if (form === "object") return JSON.stringify(object);
    if (form === "list") return JSON.stringify(values);
    return JSON.stringify({ [form]: [object] });
  });
  return notEmpty(bodies, name);
}

/** A field as JSON has it: numbers and truth values as such, an empty field as null. */
function jsonValue(field: string): string | number | boolean | null {
  if (field === "") return null;
  if (/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(field)) return Number(field);
  return field === "true" || field === "false" ? field === "true" : field;
}

function notEmpty(bodies: string[], name: string): string[] {
  if (bodies.length === 0) throw new ServiceError("invalid-input", `${name} holds no bodies`);
  return bodies;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
