import { ServiceError } from "../schema/errors.ts";
import type { Captured } from "./captured.ts";
import { type CloudEvent, dataBytes } from "./cloud-event.ts";
import type { MessageHeaders } from "./exchange.ts";
import { isList, isObject, parseJson, writeJson } from "./json.ts";
import { endOfJson } from "./json-scan.ts";
import { setOwn } from "./own-property.ts";
import { short } from "./tensor.ts";

const TYPE = /^(?:org\.kubeflow|io\.seldon)\.serving\.inference\.(request|response)$/;
/** Tells where the tensors of a binary V2 payload begin. */
const LENGTH = "inference-header-content-length";
const BEGINS_JSON = /^\s*[[{]/;
/** Every tensor behind the JSON has its length in it. */
const NAMES_BINARY = /"binary_data_size"\s*:/;

/**
 * Half of a call as the loggers of KServe and Seldon Core tell it.
 *
 * Request and response are joined by `requestid` (Seldon) or else `id` (KServe uses one id for both). The model is the
 * inference service; what a component other than the predictor logs is stored under a name of its own
 * (`churn-transformer`), since it has the id of the same call.
 *
 * @param model - Name to store under instead of the inference service's.
 * @throws ServiceError `invalid-input` when neither names a model.
 * @see kserve pkg/logger/worker.go: the content type of a response event is that of the request; extensions are optional.
 * @example
 * const extensions = { inferenceservicename: "churn", component: "predictor" };
 * servingCapture({ ...event, type: "org.kubeflow.serving.inference.request", extensions }, undefined).kind; // "half"
 */
export function servingCapture(event: CloudEvent, model: string | undefined): Captured {
  const side = TYPE.exec(event.type)?.[1];
  if (side !== "request" && side !== "response")
    return { kind: "ignored", reason: `${short(event.type)} is neither request nor response` };
  const { requestid, inferenceservicename, component, endpoint, namespace, modelid, statuscode } =
    event.extensions;
  const service = model ?? inferenceservicename;
  if (service === undefined)
    throw new ServiceError(
      "invalid-input",
      "the event has no inferenceservicename: send it with ?model=, for example in the logger's url",
    );
  const part = component === undefined || component === "predictor" ? service : `${service}-${component}`;
  const id = requestid ?? event.id;
  const bytes = dataBytes(event);
  const status = Number(statuscode);
  const headers = headersOf(event, side, bytes);
  return {
    kind: "half",
    call: {
      model: model ?? part,
      id,
      version: undefined,
      deployment: endpoint === undefined || endpoint === "" ? undefined : endpoint,
    },
    key: writeJson([
      "serving",
      model ?? part,
      namespace ?? "",
      inferenceservicename ?? "",
      component ?? "",
      endpoint ?? "",
      modelid ?? "",
      id,
    ]),
    half: {
      side,
      message: { headers, body: bytes },
      time: event.time,
      path: LENGTH in headers ? "/v2/models/m/infer" : undefined, // nothing but binary V2 has it
      status: side === "response" ? (status >= 100 && status <= 599 ? status : 200) : undefined,
    },
  };
}

/** Headers that tell how the payload is written: those the logger was allowed to keep, and the content type. */
function headersOf(event: CloudEvent, side: "request" | "response", bytes: Uint8Array): MessageHeaders {
  const headers: Record<string, string> = {};
  // The event of an answer has the headers of its request, whose length is another.
  const kept = side === "request" ? keptHeaders(event.extensions.metadata) : [];
  for (const [name, value] of kept) setOwn(headers, name, value);
  const type = event.contentType;
  // A CSV request is answered in JSON more often than not, and the event of the answer calls that CSV too.
  const answersJson =
    side === "response" && BEGINS_JSON.test(new TextDecoder().decode(bytes.subarray(0, 64)));
  if (type !== undefined && !answersJson) headers["content-type"] = type;
  else delete headers["content-type"];
  const length = headers[LENGTH] ?? jsonLength(bytes)?.toString();
  if (length !== undefined) headers[LENGTH] = length;
  return headers;
}

/**
 * How long the JSON is in front of the tensors of a binary V2 payload; undefined when it is none. The header that says so
 * is lost unless the logger was told to keep it, and of an answer it always is, but the JSON itself shows where it ends.
 */
function jsonLength(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== 0x7b) return undefined;
  const end = endOfJson(bytes);
  if (end === undefined || end === bytes.length) return undefined;
  return NAMES_BINARY.test(new TextDecoder().decode(bytes.subarray(0, end))) ? end : undefined;
}

function keptHeaders(metadata: string | undefined): (readonly [string, string])[] {
  if (metadata === undefined) return [];
  try {
    const headers = parseJson(new TextEncoder().encode(metadata), 8);
    if (!isObject(headers)) return [];
    return Object.entries(headers).flatMap(([name, values]) => {
      const value = isList(values) ? values[0] : values;
      return typeof value === "string" && name.toLowerCase() === LENGTH ? [[LENGTH, value]] : [];
    });
  } catch (error) {
    if (error instanceof ServiceError) return []; // what was noted beside the payload is no reason to lose it
    throw error;
  }
}
