import { ServiceError } from "../schema/errors.ts";
import { bytesOfBase64 } from "./base64.ts";
import type { Captured, CapturedHalf } from "./captured.ts";
import { isList, isObject, type JsonObject, type JsonValue, parseJson } from "./json.ts";
import { short } from "./tensor.ts";

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * A line of SageMaker's data capture, or of the ground truth that is merged with it.
 *
 * A record's id is the caller's inference id where there is one, else SageMaker's event id, as ground truth refers to it.
 *
 * @throws ServiceError `invalid-input` when it is neither, or a part of it is missing.
 * @see AWS docs, model-monitor-data-capture and model-monitor-model-quality-merge.
 * @example
 * const truth = { groundTruthData: { data: "1", encoding: "CSV" }, eventMetadata: { eventId: "e" }, eventVersion: "0" };
 * sagemakerCapture(truth, "churn", 64); // { kind: "labels", model: "churn", labels: [{ id: "e", row: 0, label: 1 }] }
 */
export function sagemakerCapture(line: JsonValue, model: string, nesting: number): Captured {
  if (!isObject(line)) throw new ServiceError("invalid-input", "the line is no JSON object");
  const { captureData, groundTruthData, eventMetadata } = line;
  if (!isObject(eventMetadata)) throw new ServiceError("invalid-input", "the line has no eventMetadata");
  const id = textOf(eventMetadata, "inferenceId") || textOf(eventMetadata, "eventId");
  if (!id) throw new ServiceError("invalid-input", "eventMetadata has neither inferenceId nor eventId");
  const time = textOf(eventMetadata, "inferenceTime");
  if (isObject(groundTruthData))
    return { kind: "labels", model, labels: groundTruth(groundTruthData, id, nesting) };
  if (!isObject(captureData))
    throw new ServiceError("invalid-input", "the line has neither captureData nor groundTruthData");
  const { endpointInput, endpointOutput } = captureData;
  if (!isObject(endpointInput))
    throw new ServiceError("invalid-input", "captureData has no endpointInput: capture input and output");
  return {
    kind: "call",
    call: { model, id, version: undefined, deployment: undefined },
    request: halfOf(endpointInput, "request", time),
    response: isObject(endpointOutput) ? halfOf(endpointOutput, "response", time) : undefined,
  };
}

function halfOf(part: JsonObject, side: CapturedHalf["side"], time: string | undefined): CapturedHalf {
  const type = textOf(part, "observedContentType");
  const named = type ?? (part.encoding === "CSV" ? "text/csv" : "application/json");
  return {
    side,
    message: { headers: { "content-type": named }, body: bytesOf(part) },
    time,
    path: "/invocations",
    status: side === "response" ? 200 : undefined,
  };
}

function bytesOf({ data, encoding }: JsonObject): Uint8Array {
  if (typeof data !== "string")
    throw new ServiceError("invalid-input", "data of the line is missing or no text");
  if (encoding === "CSV" || encoding === "JSON") return new TextEncoder().encode(data);
  if (encoding !== "BASE64")
    throw new ServiceError("invalid-input", `encoding ${short(encoding)} is none of CSV, JSON and BASE64`);
  const bytes = bytesOfBase64(data);
  if (!bytes) throw new ServiceError("invalid-input", "data is called BASE64 and is not");
  return bytes;
}

/** One label per instance: the lines of CSV, or the elements of a JSON list. */
function groundTruth(part: JsonObject, id: string, nesting: number): JsonObject[] {
  const bytes = bytesOf(part);
  const values =
    part.encoding === "JSON"
      ? listOf(parseJson(bytes, nesting))
      : new TextDecoder()
          .decode(bytes)
          .split(/\r?\n/)
          .filter((line) => line.trim() !== "")
          .map(cellOf);
  if (values.length === 0) throw new ServiceError("invalid-input", "groundTruthData holds no label");
  return values.map((label, row) => ({ id, row, label }));
}

function listOf(value: JsonValue): readonly JsonValue[] {
  return isList(value) ? value : [value];
}

function cellOf(line: string): JsonValue {
  const text = line.trim().replace(/^"(.*)"$/, "$1");
  return NUMBER.test(text) ? Number(text) : text;
}

function textOf(object: JsonObject, name: string): string | undefined {
  const value = object[name];
  return typeof value === "string" ? value : undefined;
}
