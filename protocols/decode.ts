import { ServiceError } from "../schema/errors.ts";
import { answerRows, csvAnswerRows } from "./answer-rows.ts";
import { csvRows } from "./csv.ts";
import { bodyFormOf, detectBody, detectCall } from "./detect.ts";
import type {
  DecodedExchange,
  DecodedRow,
  DecodeOptions,
  Exchange,
  Features,
  Message,
  Protocol,
} from "./exchange.ts";
import type { Cells } from "./feature-value.ts";
import { isObject, type JsonObject, type JsonValue, parseJson } from "./json.ts";
import { parseJsonLines } from "./json-lines.ts";
import { headerOf, mediaTypeOf } from "./message-header.ts";
import { mlflowRows } from "./mlflow.ts";
import { readInference } from "./open-inference.ts";
import { plainRows } from "./plain-rows.ts";
import { type Recording, startRecording } from "./recording.ts";
import { seldonTable } from "./seldon-table.ts";
import { short } from "./tensor.ts";
import { inputRows, outputRows } from "./tensor-rows.ts";
import { servingRows } from "./tensorflow-serving.ts";

/**
 * The rows of one call of a scoring service: one per instance, its features in `inputs` and the model's answer in
 * `outputs`, as `POST /v1/models/{model}/records` takes them (written with `writeJson`, see `FeatureValue`).
 *
 * The protocol is found from path, headers and body. Nothing a payload claims is believed before it is checked against
 * its length or a limit, so memory and time are bounded by `options.limits` and the bodies.
 *
 * @param exchange - The call as it went over the wire, `content-encoding` undone.
 * @returns Never throws for what is in the payload: what is not understood is `undecodable` with a reason, and an answer
 *   that is not understood leaves the outputs empty and says so in `notes`.
 * @example
 * const body = new TextEncoder().encode('{"instances":[{"age":31}]}');
 * const answer = new TextEncoder().encode('{"predictions":[0.7]}');
 * decodeExchange(
 *   {
 *     method: "POST",
 *     path: "/v1/models/churn:predict",
 *     request: { headers: {}, body },
 *     response: { status: 200, headers: {}, body: answer },
 *   },
 *   { digest },
 * );
 * // { outcome: "decoded", model: "churn", rows: [{ row: 0, inputs: { age: 31 }, outputs: { prediction: 0.7 } }], … }
 */
export function decodeExchange(exchange: Exchange, options: DecodeOptions): DecodedExchange {
  const { request, response, path } = exchange;
  const call = detectCall({ method: exchange.method, path, headers: request.headers });
  if (call.kind === "other") return { outcome: "not-scoring", reason: call.reason };
  const recording = startRecording(options);
  const asked = attempt(() => decodeRequest(request, { path, protocol: call.protocol }, options, recording));
  const { model } = call;
  const headerId = callerId(exchange);
  if (asked.result === "refused")
    return {
      outcome: "undecodable",
      protocol: call.protocol ?? "plain",
      id: headerId,
      model,
      version: call.version,
      reason: `request: ${asked.reason}`,
    };
  const { inputs, protocol, id } = asked.value;
  const answered = decodeAnswer(response, { protocol, batch: inputs.length }, options, recording);
  return {
    outcome: "decoded",
    protocol,
    id: headerId ?? id,
    model,
    version: call.version ?? answered.version,
    rows: inputs.map(
      (features, row): DecodedRow => ({ row, inputs: features, outputs: answered.outputs[row] ?? {} }),
    ),
    notes: answered.notes,
  };
}

interface DecodedRequest {
  readonly protocol: Protocol;
  readonly inputs: readonly Cells[];
  readonly id: string | undefined;
}

function decodeRequest(
  request: Message,
  call: { readonly path: string; readonly protocol: Protocol | undefined },
  options: DecodeOptions,
  recording: Recording,
): DecodedRequest {
  checkBody(request, recording);
  const names = options.featureNames;
  if (call.protocol === "open-inference-v2") return decodeInference(request, names, recording);
  const form = readableForm(request);
  if (form === "csv") {
    const protocol = /\/invocations$/.test(call.path.split("?", 1)[0] ?? "") ? "mlflow" : "plain";
    return { protocol, inputs: csvRows(request.body, { stem: "input", names }, recording), id: undefined };
  }
  const body = readJsonBody(request.body, form, recording);
  const protocol = call.protocol ?? detectBody(body, call.path);
  switch (protocol) {
    case "open-inference-v2":
      return decodeInference(request, names, recording);
    case "tensorflow-serving-v1":
      return { protocol, inputs: servingRows(objectOf(body), names, recording), id: undefined };
    case "mlflow":
      return { protocol, inputs: mlflowRows(objectOf(body), names, recording), id: undefined };
    case "plain":
      return { protocol, inputs: plainRows(seldonTable(body) ?? body, names, recording), id: undefined };
  }
}

function decodeInference(
  request: Message,
  names: readonly string[] | undefined,
  recording: Recording,
): DecodedRequest {
  const { id, tensors } = readInference(request, "inputs", recording.limits);
  return { protocol: "open-inference-v2", inputs: inputRows(tensors, names, recording), id };
}

/** What an answer told. */
export interface Answered {
  readonly outputs: readonly Features[];
  readonly version: string | undefined;
  readonly notes: readonly string[];
}

/**
 * What the answer to a request of one instance of no named protocol tells, as `decodeExchange` reads it.
 *
 * @param response - Of status 200 to 299.
 */
export function decodePlainAnswer(
  response: NonNullable<Exchange["response"]>,
  options: DecodeOptions,
): Answered {
  return decodeAnswer(response, { protocol: "plain", batch: 1 }, options, startRecording(options));
}

function decodeAnswer(
  response: Exchange["response"],
  asked: { readonly protocol: Protocol; readonly batch: number },
  options: DecodeOptions,
  recording: Recording,
): Answered {
  if (!response) return { outputs: [], version: undefined, notes: ["there was no answer"] };
  if (response.status >= 300 || response.status < 200)
    return { outputs: [], version: undefined, notes: [`the answer has status ${response.status}`] };
  const answer = attempt(() => readAnswer(response, asked, options, recording));
  if (answer.result === "given") return answer.value;
  return { outputs: [], version: undefined, notes: [`answer: ${answer.reason}`] };
}

function readAnswer(
  response: Message,
  { protocol, batch }: { readonly protocol: Protocol; readonly batch: number },
  options: DecodeOptions,
  recording: Recording,
): Answered {
  checkBody(response, recording);
  const names = options.outputNames;
  if (protocol === "open-inference-v2") {
    const { tensors, modelVersion } = readInference(response, "outputs", recording.limits);
    const { rows, notes } = outputRows(tensors, batch, names, recording);
    return { outputs: rows, version: modelVersion, notes };
  }
  const form = readableForm(response);
  if (form === "csv")
    return {
      outputs: csvAnswerRows(response.body, { batch, names }, recording),
      version: undefined,
      notes: [],
    };
  const body = readJsonBody(response.body, form, recording);
  const version = isObject(body) ? body.model_version : undefined;
  const table = seldonTable(body);
  return {
    outputs: answerRows(table ?? body, { batch, names }, recording),
    version: typeof version === "string" ? version : undefined,
    notes: [],
  };
}

function checkBody({ headers, body }: Message, { limits }: Recording): void {
  const coding = headerOf(headers, "content-encoding")?.toLowerCase();
  if (coding !== undefined && coding !== "identity")
    throw new ServiceError("unsupported-media-type", `the body is still encoded as ${short(coding)}`);
  if (body.length > limits.bodyBytes)
    throw new ServiceError(
      "too-large",
      `the body has ${body.length} bytes and at most ${limits.bodyBytes} are looked at`,
    );
}

function readableForm({ headers }: Message): "json" | "json-lines" | "csv" {
  const form = bodyFormOf(headers);
  if (form) return form;
  throw new ServiceError(
    "unsupported-media-type",
    `content type ${short(mediaTypeOf(headers))} is none of JSON, newline-delimited JSON and CSV`,
  );
}

function readJsonBody(body: Uint8Array, form: "json" | "json-lines", { limits }: Recording): JsonValue {
  if (form === "json") return parseJson(body, limits.nesting);
  return parseJsonLines(body, { lines: limits.rows, nesting: limits.nesting });
}

function objectOf(body: JsonValue): JsonObject {
  if (isObject(body)) return body;
  throw new ServiceError("invalid-input", "the request is no JSON object");
}

/** The id a caller gave, by the headers of the request, or else one the answer carries. */
function callerId({ request, response }: Exchange): string | undefined {
  return (
    headerOf(request.headers, "ce-id") ??
    headerOf(request.headers, "x-request-id") ??
    headerOf(request.headers, "x-amzn-sagemaker-inference-id") ??
    (response && headerOf(response.headers, "x-leeway-record-id"))
  );
}

type Attempt<T> =
  | { readonly result: "given"; readonly value: T }
  | { readonly result: "refused"; readonly reason: string };

/** The value, or why the payload is not understood; a bug stays an exception. */
function attempt<T>(decode: () => T): Attempt<T> {
  try {
    return { result: "given", value: decode() };
  } catch (error) {
    if (error instanceof ServiceError) return { result: "refused", reason: error.message };
    throw error;
  }
}
