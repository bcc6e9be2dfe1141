import { ServiceError } from "../schema/errors.ts";
import type { DecodeLimits, Message } from "./exchange.ts";
import { isList, isObject, type JsonObject, type JsonValue, parseJson, writeJson } from "./json.ts";
import { headerOf } from "./message-header.ts";
import { datatypeOf, elementCount, short, type Tensor } from "./tensor.ts";
import { readBinary, writeBinary } from "./tensor-binary.ts";
import { elementJson, readElements } from "./tensor-json.ts";

/** The tensors of a V2 request (`inputs`) or answer (`outputs`), and what it says beside them. */
export interface InferenceMessage {
  readonly id: string | undefined;
  readonly modelName: string | undefined;
  readonly modelVersion: string | undefined;
  readonly tensors: readonly Tensor[];
}

/** In which member of the message the tensors are. */
export type TensorSide = "inputs" | "outputs";

/** Says how many bytes of the body are JSON; the rest is tensors. Absent: all are. 0: the body is one raw tensor. */
export const JSON_LENGTH = "inference-header-content-length";

/**
 * Reads an Open Inference Protocol V2 message, in JSON or with binary tensors behind the JSON.
 *
 * @param message - Headers in lower case and body.
 * @param side - `inputs` for a request, `outputs` for an answer.
 * @throws ServiceError `invalid-input`, naming the tensor, when it is not a message of that kind.
 * @see kserve/open-inference-protocol, inference_rest.md; triton server, extension_binary_data.md.
 * @example
 * const body = new TextEncoder().encode('{"inputs":[{"name":"x","shape":[2],"datatype":"INT64","data":[1,2]}]}');
 * readInference({ headers: {}, body }, "inputs", defaultDecodeLimits).tensors[0]?.values; // [1, 2]
 */
export function readInference(
  message: Message,
  side: TensorSide,
  limits: Pick<DecodeLimits, "nesting">,
): InferenceMessage {
  return readInferenceParts(message, side, limits).message;
}

/** As `readInference`, with the JSON of the message: what else it holds is read from there. */
export function readInferenceParts(
  message: Message,
  side: TensorSide,
  limits: Pick<DecodeLimits, "nesting">,
): { readonly message: InferenceMessage; readonly json: JsonObject } {
  const { json, binary } = split(message);
  const parsed = parseJson(json, limits.nesting);
  if (!isObject(parsed) || !isList(parsed[side]))
    throw new ServiceError("invalid-input", `a V2 message without a list called ${side}`);
  let from = 0;
  const tensors = (parsed[side] as readonly JsonValue[]).map((item): Tensor => {
    const head = readHead(item, side);
    const size = binarySize(head);
    if (size === undefined) return readJsonTensor(head, json.length);
    if (size > binary.length - from)
      throw new ServiceError(
        "invalid-input",
        `tensor "${short(head.name)}" claims ${size} binary bytes and ${binary.length - from} are left`,
      );
    const bytes = binary.subarray(from, from + size);
    from += size;
    return readBinaryTensor(head, bytes);
  });
  if (from < binary.length)
    throw new ServiceError("invalid-input", `${binary.length - from} bytes belong to no tensor`);
  const read = {
    id: textOf(parsed.id),
    modelName: textOf(parsed.model_name),
    modelVersion: textOf(parsed.model_version),
    tensors,
  };
  return { message: read, json: parsed };
}

function split({ headers, body }: Message): { readonly json: Uint8Array; readonly binary: Uint8Array } {
  const length = headerOf(headers, JSON_LENGTH);
  if (length === undefined) return { json: body, binary: body.subarray(body.length) };
  if (!/^\d{1,15}$/.test(length) || Number(length) > body.length)
    throw new ServiceError(
      "invalid-input",
      `Inference-Header-Content-Length is ${short(length)} and the body has ${body.length} bytes`,
    );
  if (Number(length) === 0)
    throw new ServiceError(
      "invalid-input",
      "a raw binary request (Inference-Header-Content-Length: 0) does not say name, type and shape of its tensor",
    );
  return { json: body.subarray(0, Number(length)), binary: body.subarray(Number(length)) };
}

function readHead(item: JsonValue, side: TensorSide): JsonObject & { readonly name: string } {
  if (isObject(item) && typeof item.name === "string") return item as JsonObject & { readonly name: string };
  throw new ServiceError("invalid-input", `${side} holds something that is no tensor with a name`);
}

function binarySize({ name, parameters }: JsonObject & { readonly name: string }): number | undefined {
  const size = isObject(parameters) ? parameters.binary_data_size : undefined;
  if (size === undefined) return undefined;
  if (typeof size === "number" && Number.isSafeInteger(size) && size >= 0) return size;
  throw new ServiceError(
    "invalid-input",
    `binary_data_size of tensor "${short(name)}" is no number of bytes`,
  );
}

function readJsonTensor(head: JsonObject & { readonly name: string }, mostElements: number): Tensor {
  const { name } = head;
  const datatype = datatypeOf(head.datatype, name);
  const count = elementCount(head.shape, mostElements, name);
  const values = readElements({ data: head.data, count, datatype, tensor: name });
  return { name, datatype, shape: head.shape as readonly number[], values }; // elementCount checked it
}

function readBinaryTensor(head: JsonObject & { readonly name: string }, bytes: Uint8Array): Tensor {
  const { name } = head;
  if (head.data !== undefined)
    throw new ServiceError("invalid-input", `tensor "${short(name)}" has both data and binary_data_size`);
  const datatype = datatypeOf(head.datatype, name);
  const count = elementCount(head.shape, bytes.length, name);
  const values = readBinary({ bytes, count, datatype, tensor: name });
  return { name, datatype, shape: head.shape as readonly number[], values }; // elementCount checked it
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * The V2 message of these tensors, all in JSON or all binary.
 *
 * @throws RangeError for `json` when a BYTES element is not UTF-8.
 * @example
 * const { headers } = writeInference({ id: "a", modelName: undefined, modelVersion: undefined, tensors: [] }, "inputs", "json");
 * headers["content-type"]; // "application/json"
 */
export function writeInference(
  message: InferenceMessage,
  side: TensorSide,
  form: "json" | "binary",
): Message & { readonly headers: Readonly<Record<string, string>> } {
  const blocks: Uint8Array[] = [];
  const tensors = message.tensors.map(({ name, datatype, shape, values }): JsonObject => {
    if (form === "json") return { name, datatype, shape, data: Array.from(values, elementJson) };
    const block = writeBinary(datatype, values);
    blocks.push(block);
    return { name, datatype, shape, parameters: { binary_data_size: block.length } };
  });
  const json = new TextEncoder().encode(
    writeJson({
      ...(message.id === undefined ? {} : { id: message.id }),
      ...(message.modelName === undefined ? {} : { model_name: message.modelName }),
      ...(message.modelVersion === undefined ? {} : { model_version: message.modelVersion }),
      [side]: tensors,
    }),
  );
  if (form === "json") return { headers: { "content-type": "application/json" }, body: json };
  return {
    headers: { "content-type": "application/octet-stream", [JSON_LENGTH]: String(json.length) },
    body: joined([json, ...blocks]),
  };
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
