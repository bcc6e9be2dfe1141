import { ServiceError } from "../schema/errors.ts";
import { bytesOfBase64 } from "./base64.ts";
import { servingCapture } from "./capture-serving.ts";
import type { Captured } from "./captured.ts";
import { isObject, type JsonObject, type JsonValue, writeJson } from "./json.ts";

/**
 * Whether a value is a record of KServe's logger as it lies in blob storage.
 *
 * @example
 * isLogRecord({ ReqType: "org.kubeflow.serving.inference.request", Id: "1", Bytes: "e30=" }); // true
 */
export function isLogRecord(value: JsonValue): value is JsonObject {
  return isObject(value) && textOf(memberOf(value, "reqtype")) !== undefined;
}

/**
 * Half of a call as KServe's logger writes it to blob storage instead of sending it: what the event has in headers, with
 * the payload in base64. Names are written `ReqType` (JSON), `reqType` (CSV) or `req_type`.
 *
 * @param model - As in `servingCapture`.
 * @param time - Event time: the record has none of its own.
 * @throws ServiceError `invalid-input` when the payload is no base64, it has no id, or nothing names a model.
 * @see kserve pkg/logger/types/types.go, pkg/logger/marshaller_record.go.
 * @example
 * const record = { ReqType: "org.kubeflow.serving.inference.request", Id: "1", Bytes: "e30=", InferenceService: "churn" };
 * logRecordCapture(record, undefined, undefined).kind; // "half"
 */
export function logRecordCapture(
  record: JsonObject,
  model: string | undefined,
  time: string | undefined,
): Captured {
  const text = (name: string) => textOf(memberOf(record, name));
  const id = text("id");
  if (id === undefined) throw new ServiceError("invalid-input", "the record of the logger has no Id");
  const encoded = memberOf(record, "bytes");
  const bytes = typeof encoded === "string" ? bytesOfBase64(encoded) : undefined;
  if (!bytes) throw new ServiceError("invalid-input", "Bytes of the record are missing, or no base64");
  const metadata = memberOf(record, "metadata");
  const extensions = {
    inferenceservicename: text("inferenceservice"),
    namespace: text("namespace"),
    component: text("component"),
    endpoint: text("endpoint"),
    metadata: isObject(metadata) ? writeJson(metadata) : textOf(metadata),
  };
  return servingCapture(
    {
      id,
      source: "",
      type: text("reqtype") ?? "",
      subject: undefined,
      time,
      contentType: text("contenttype"),
      extensions: Object.fromEntries(
        Object.entries(extensions).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
      ),
      data: { kind: "bytes", bytes },
    },
    model,
  );
}

/** A member whose name is written in any of the ways. */
function memberOf(record: JsonObject, name: string): JsonValue | undefined {
  const key = Object.keys(record).find((each) => each.replaceAll("_", "").toLowerCase() === name);
  return key === undefined ? undefined : record[key];
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
