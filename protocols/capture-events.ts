import { ServiceError } from "../schema/errors.ts";
import { azureCapture } from "./capture-azure.ts";
import { servingCapture } from "./capture-serving.ts";
import type { Captured } from "./captured.ts";
import { type CloudEvent, dataJson } from "./cloud-event.ts";
import { isList, isObject, type JsonObject } from "./json.ts";
import { short } from "./tensor.ts";

const AZURE = /^azureml\.inference\./;
const SERVING = /^(?:org\.kubeflow|io\.seldon)\.serving\./;

/**
 * What an event captures, by its type: a half of a call as KServe, Seldon or Azure ML log one, or else records or labels
 * of ours in its data.
 *
 * @param model - Name to store under; else the one that the format gives, or `subject` for records and labels of ours.
 * @throws ServiceError `invalid-input` when it is not understood.
 * @example
 * capturedEvent({ ...event, type: "org.example.scored", data: { kind: "json", value: { inputs: { age: 31 } } } }, "churn");
 * // { kind: "records", model: "churn", records: [{ id: "1", inputs: { age: 31 } }] }
 */
export function capturedEvent(event: CloudEvent, model: string | undefined, nesting: number): Captured {
  if (SERVING.test(event.type)) return servingCapture(event, model);
  if (AZURE.test(event.type)) return azureCapture(event, model);
  return ownCapture(event, model, nesting);
}

/** Records and labels in the collector's own form; id and time default to those of the event. */
function ownCapture(event: CloudEvent, model: string | undefined, nesting: number): Captured {
  const name = model ?? event.subject;
  if (name === undefined)
    throw new ServiceError("invalid-input", "the event names no model: send it with ?model= or a subject");
  const data = dataJson(event, nesting);
  const items = isList(data) ? data : [data];
  if (items.length > 0 && items.every((item) => isObject(item) && Object.hasOwn(item, "inputs")))
    return { kind: "records", model: name, records: items.map((item, row) => owned(item, row, event)) };
  if (items.length > 0 && items.every((item) => isObject(item) && Object.hasOwn(item, "label")))
    return { kind: "labels", model: name, labels: items.map((item, row) => owned(item, row, event)) };
  throw new ServiceError(
    "invalid-input",
    `an event of type ${short(event.type)} needs data with inputs or a label, or a list of such`,
  );
}

function owned(item: unknown, row: number, { id, time }: CloudEvent): JsonObject {
  const own = item as JsonObject; // looked at just now
  return {
    ...(own.id === undefined ? { id, ...(row > 0 ? { row } : {}) } : {}),
    ...(time === undefined ? {} : { time }),
    ...own,
  };
}
