import { ServiceError } from "../schema/errors.ts";
import { bytesOfBase64 } from "./base64.ts";
import type { Message, MessageHeaders } from "./exchange.ts";
import { isObject, type JsonObject, type JsonValue, parseJson, writeJson } from "./json.ts";
import { headerOf, mediaTypeOf } from "./message-header.ts";
import { setOwn } from "./own-property.ts";
import { short } from "./tensor.ts";

/** A CloudEvent, whichever of the three modes of HTTP it came in. */
export interface CloudEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string | undefined;
  /** RFC 3339, not checked. */
  readonly time: string | undefined;
  readonly contentType: string | undefined;
  /** Extension attributes by name in lower case; numbers and booleans as text. */
  readonly extensions: Readonly<Record<string, string>>;
  readonly data: EventData;
}

/** The data of an event: in structured mode as JSON, unless it is text or base64; in binary mode the bytes of the body. */
export type EventData =
  | { readonly kind: "json"; readonly value: JsonValue }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array };

const NO_DATA: EventData = { kind: "bytes", bytes: new Uint8Array() };
const CORE = new Set([
  "id",
  "source",
  "type",
  "specversion",
  "subject",
  "time",
  "datacontenttype",
  "dataschema",
  "data",
  "data_base64",
]);

/**
 * The event of a message in binary mode: attributes in headers `ce-…`, data in the body.
 *
 * @throws ServiceError `invalid-input` when a required attribute is missing.
 * @see CloudEvents HTTP protocol binding 1.0, §3.1: values are percent-encoded and may be quoted.
 * @example
 * const headers = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t" };
 * binaryEvent({ headers, body: new Uint8Array() }).id; // "1"
 */
export function binaryEvent({ headers, body }: Message): CloudEvent {
  const attributes: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const value = name.startsWith("ce-") ? headerOf(headers, name) : undefined;
    if (value !== undefined) setOwn(attributes, name.slice(3), headerText(value));
  }
  const contentType = headerOf(headers, "content-type");
  return eventOf(attributes, contentType, { kind: "bytes", bytes: body });
}

/**
 * An event in the JSON format, as structured mode has one and batched mode a list.
 *
 * @throws ServiceError `invalid-input` when it is no object, a required attribute is missing, or `data_base64` is none.
 * @see CloudEvents JSON event format 1.0.
 * @example
 * structuredEvent({ specversion: "1.0", id: "1", source: "s", type: "t", data: { a: 1 } }).data; // { kind: "json", value: { a: 1 } }
 */
export function structuredEvent(value: JsonValue): CloudEvent {
  if (!isObject(value)) throw new ServiceError("invalid-input", "an event is no JSON object");
  const attributes: Record<string, string> = {};
  for (const [name, item] of Object.entries(value)) {
    if (name === "data" || name === "data_base64" || item === null || typeof item === "object") continue;
    setOwn(attributes, name, String(item));
  }
  return eventOf(attributes, attributes.datacontenttype, dataOf(value, attributes.datacontenttype));
}

/** How the events of a message lie in it. */
export function eventModeOf(headers: MessageHeaders): "binary" | "structured" | "batch" | undefined {
  const type = mediaTypeOf(headers);
  if (type?.startsWith("application/cloudevents-batch")) return "batch";
  if (type?.startsWith("application/cloudevents")) return "structured";
  return (headerOf(headers, "ce-specversion") ?? headerOf(headers, "ce-id")) ? "binary" : undefined;
}

/** The data as the bytes that were captured. */
export function dataBytes({ data, contentType }: Pick<CloudEvent, "data" | "contentType">): Uint8Array {
  if (data.kind === "bytes") return data.bytes;
  const text =
    typeof data.value === "string" && !isJsonType(contentType) ? data.value : writeJson(data.value);
  return new TextEncoder().encode(text);
}

/**
 * The data as JSON.
 *
 * @param nesting - As in `parseJson`.
 * @throws ServiceError `invalid-input` when it is bytes that are no JSON.
 */
export function dataJson({ data }: Pick<CloudEvent, "data">, nesting: number): JsonValue {
  return data.kind === "json" ? data.value : parseJson(data.bytes, nesting);
}

function eventOf(
  attributes: Readonly<Record<string, string>>,
  contentType: string | undefined,
  data: EventData,
): CloudEvent {
  for (const name of ["id", "source", "type", "specversion"]) {
    if (!attributes[name]) throw new ServiceError("invalid-input", `the event has no ${name}`);
  }
  const { id = "", source = "", type = "", specversion = "", subject, time } = attributes;
  if (!/^1\.\d+$/.test(specversion))
    throw new ServiceError("invalid-input", `specversion ${short(specversion)} is not known: expected 1.0`);
  const extensions: Record<string, string> = {};
  for (const [name, value] of Object.entries(attributes))
    if (!CORE.has(name)) setOwn(extensions, name, value);
  return { id, source, type, subject, time, contentType, extensions, data };
}

function dataOf(event: JsonObject, contentType: string | undefined): EventData {
  const { data, data_base64: base64 } = event;
  if (base64 !== undefined) {
    const bytes = typeof base64 === "string" ? bytesOfBase64(base64) : undefined;
    if (!bytes) throw new ServiceError("invalid-input", "data_base64 of the event is no base64");
    return { kind: "bytes", bytes };
  }
  if (data === undefined) return NO_DATA;
  if (typeof data === "string" && !isJsonType(contentType))
    return { kind: "bytes", bytes: new TextEncoder().encode(data) };
  return { kind: "json", value: data };
}

function isJsonType(contentType: string | undefined): boolean {
  return contentType === undefined || /^[^;]*[/+]json\b/i.test(contentType);
}

function headerText(value: string): string {
  const bare = /^".*"$/.test(value) ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
  try {
    return decodeURIComponent(bare);
  } catch {
    return bare;
  }
}
