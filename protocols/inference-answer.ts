import { ServiceError } from "../schema/errors.ts";
import type { DecodeLimits, Message } from "./exchange.ts";
import { isList, isObject, type JsonObject, type JsonValue, writeJson } from "./json.ts";
import { jsonElements } from "./json-elements.ts";
import { headerOf } from "./message-header.ts";
import { JSON_LENGTH, joined, readInferenceParts } from "./open-inference.ts";
import { short, type Tensor } from "./tensor.ts";
import { writeBinary } from "./tensor-binary.ts";

/** An output that a V2 request asks for, and in which form. */
export interface WantedOutput {
  readonly name: string;
  readonly form: "json" | "binary";
}

/** A V2 request as a server needs it: the tensors, and what is to be answered how. */
export interface InferenceRequest {
  readonly id: string | undefined;
  readonly tensors: readonly Tensor[];
  /** Undefined: all outputs, in `form`. */
  readonly wanted: readonly WantedOutput[] | undefined;
  readonly form: "json" | "binary";
}

/**
 * Reads a V2 inference request, in JSON or with binary tensors.
 *
 * A raw binary request (`Inference-Header-Content-Length: 0`) is one that only the model's signature can explain: the
 * caller looks for it first.
 *
 * @throws ServiceError `invalid-input` when it is none.
 * @see triton-inference-server/server, docs/protocol/extension_binary_data.md.
 */
export function readInferenceRequest(
  message: Message,
  limits: Pick<DecodeLimits, "nesting">,
): InferenceRequest {
  const { message: read, json } = readInferenceParts(message, "inputs", limits);
  const form = flag(json.parameters, "binary_data_output") ? "binary" : "json";
  const { outputs } = json;
  if (outputs !== undefined && !isList(outputs))
    throw new ServiceError("invalid-input", "outputs of the request is no list");
  const wanted = outputs?.length
    ? outputs.map((output) => wantedOutput(output as JsonValue, form)) // an element of a list
    : undefined;
  const id = typeof json.id === "string" ? json.id : undefined;
  return { id, tensors: read.tensors, wanted, form };
}

function wantedOutput(output: JsonValue, form: WantedOutput["form"]): WantedOutput {
  if (!isObject(output) || typeof output.name !== "string")
    throw new ServiceError("invalid-input", "outputs of the request holds something without a name");
  if (isObject(output.parameters) && output.parameters.classification !== undefined)
    throw new ServiceError(
      "invalid-input",
      `output "${short(output.name)}": the classification extension is not served`,
    );
  const own = isObject(output.parameters) ? output.parameters.binary_data : undefined;
  if (own === undefined) return { name: output.name, form };
  return { name: output.name, form: own === true ? "binary" : "json" };
}

function flag(parameters: JsonValue | undefined, name: string): boolean {
  return isObject(parameters) && parameters[name] === true;
}

/** Whether the body is one raw tensor and nothing else. */
export function isRawBinary({ headers }: Pick<Message, "headers">): boolean {
  return headerOf(headers, JSON_LENGTH) === "0";
}

/** What a V2 answer says beside its tensors. */
export interface AnswerHead {
  readonly id: string | undefined;
  readonly modelName: string;
  readonly modelVersion: string;
}

/**
 * A V2 answer, its outputs each in JSON or binary.
 *
 * @throws ServiceError `invalid-input` when BYTES that are no UTF-8 are to be written in JSON.
 * @example
 * writeInferenceAnswer({ id: "a", modelName: "m", modelVersion: "1" }, []).body; // '{"model_name":"m",…}'
 */
export function writeInferenceAnswer(
  { id, modelName, modelVersion }: AnswerHead,
  outputs: readonly { readonly tensor: Tensor; readonly form: "json" | "binary" }[],
): { readonly headers: Readonly<Record<string, string>>; readonly body: string | Uint8Array } {
  const blocks: Uint8Array[] = [];
  let exact = true;
  const tensors = outputs.map(({ tensor, form }): JsonObject => {
    const { name, datatype, shape, values } = tensor;
    if (form === "binary") {
      const block = writeBinary(datatype, values);
      blocks.push(block);
      return { name, datatype, shape, parameters: { binary_data_size: block.length } };
    }
    const data = jsonElements(values, name);
    if (datatype.endsWith("INT64") && data.some((value) => typeof value === "bigint")) exact = false;
    return { name, datatype, shape, data };
  });
  const answer = {
    model_name: modelName,
    model_version: modelVersion,
    ...(id === undefined ? {} : { id }),
    outputs: tensors,
  };
  const json = exact ? JSON.stringify(answer) : writeJson(answer);
  if (blocks.length === 0) return { headers: { "content-type": "application/json" }, body: json };
  const head = new TextEncoder().encode(json);
  return {
    headers: { "content-type": "application/octet-stream", [JSON_LENGTH]: String(head.length) },
    body: joined([head, ...blocks]),
  };
}
