import { ServiceError } from "../schema/errors.ts";
import { type AzureCollection, azureTableHalves } from "./capture-azure-table.ts";
import { azureTruth, isTruthColumn, type TruthColumns } from "./capture-azure-truth.ts";
import { capturedEvent } from "./capture-events.ts";
import { isLogRecord, logRecordCapture } from "./capture-log-record.ts";
import { sagemakerCapture } from "./capture-sagemaker.ts";
import type { Captured } from "./captured.ts";
import { binaryEvent, eventModeOf, structuredEvent } from "./cloud-event.ts";
import { csvRows, csvTexts } from "./csv.ts";
import type { DecodeLimits, Message } from "./exchange.ts";
import { isList, isObject, type JsonValue, parseJson } from "./json.ts";
import { linesOf } from "./json-lines.ts";
import { mediaTypeOf } from "./message-header.ts";
import { startRecording } from "./recording.ts";

/**
 * `events`: CloudEvents of KServe, Seldon, Azure ML or with records of ours, in any mode, or one per line; also records of
 * KServe's logger from blob storage, in JSON or CSV, and CSV of Azure ML's first data collector;
 * `sagemaker`: lines of SageMaker's data capture or ground truth.
 */
export type CaptureFormat = "events" | "sagemaker";

/** How a body is to be read. */
export interface CaptureOptions {
  readonly format: CaptureFormat;
  /** Name to store under; needed where the format gives none. */
  readonly model: string | undefined;
  readonly limits: Pick<DecodeLimits, "nesting">;
  /** Event time of what comes without one: records of KServe's logger. RFC 3339. */
  readonly time?: string | undefined;
  /** What a table of Azure ML's first data collector holds; `labels` also what other tables and lines without an envelope do. */
  readonly collection?: AzureCollection | undefined;
  /** Columns of ground truth in a collection of labels. */
  readonly truth?: TruthColumns | undefined;
}

/** A table is as long as a body may be, whose length is bounded elsewhere. */
const TABLE_LIMITS = { rows: 1_000_000, cells: 10_000_000 } as const;

/** What a body captures, in order. */
export interface CapturedItem {
  /** Place in the body, from 0: of the event in its batch, or the line number less 1. */
  readonly index: number;
  readonly captured: Captured;
}

/**
 * What the body of one request captures. A part that is not understood is `refused` and does not keep the others back.
 *
 * @throws ServiceError `invalid-input` when a batch or a JSON body as a whole is not JSON.
 * @see CloudEvents HTTP protocol binding 1.0 for the modes.
 * @example
 * const body = new TextEncoder().encode('{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"inputs":{}}}');
 * const headers = { "content-type": "application/cloudevents+json" };
 * readCaptured({ headers, body }, { format: "events", model: "churn", limits });
 * // [{ index: 0, captured: { kind: "records", model: "churn", records: [{ id: "1", inputs: {} }] } }]
 */
export function readCaptured(message: Message, options: CaptureOptions): CapturedItem[] {
  const { format, model, limits } = options;
  const { nesting } = limits;
  if (format === "events" && eventModeOf(message.headers) === "binary")
    return [item(0, () => capturedEvent(binaryEvent(message), model, nesting))];
  if (format === "events" && mediaTypeOf(message.headers) === "text/csv") return readTable(message, options);
  const read = (value: JsonValue): Captured => {
    const [truth] = isBareTruth(value, options) ? azureTruth([value], truthOptions(options)) : [];
    if (truth) return truth;
    if (format === "events")
      return isLogRecord(value)
        ? logRecordCapture(value, model, options.time)
        : capturedEvent(structuredEvent(value), model, nesting);
    if (model === undefined)
      throw new ServiceError("invalid-input", "this format names no model: send it with ?model=");
    return sagemakerCapture(value, model, nesting);
  };
  if (isWholeJson(message)) {
    const body = parseJson(message.body, nesting);
    return (isList(body) ? body : [body]).map((value, index) => item(index, () => read(value)));
  }
  return Array.from(linesOf(message.body)).flatMap(({ number, text }) =>
    readLine(number - 1, text, nesting, read),
  );
}

/** Whether it is a row of ground truth, and no event. */
function isBareTruth(value: JsonValue, { collection }: CaptureOptions): boolean {
  return collection === "labels" && !(isObject(value) && Object.hasOwn(value, "specversion"));
}

function truthOptions({ model, truth }: CaptureOptions) {
  return { model, columns: truth ?? { label: undefined, time: undefined } };
}

/** What a line holds, or several in a list: KServe's logger writes a file of one line. */
function readLine(
  index: number,
  text: Uint8Array,
  nesting: number,
  read: (value: JsonValue) => Captured,
): CapturedItem[] {
  try {
    const value = parseJson(text, nesting);
    return (isList(value) ? value : [value]).map((each) => item(index, () => read(each)));
  } catch (error) {
    return [refused(index, error)];
  }
}

/** @throws ServiceError `invalid-input` when it is no table that is known. */
function readTable({ body }: Message, options: CaptureOptions): CapturedItem[] {
  const { model, time, collection } = options;
  const recording = startRecording({ digest: () => "", limits: TABLE_LIMITS });
  const header = new TextDecoder().decode(body.subarray(0, body.indexOf(0x0a) + 1));
  const names = header.split(/[,"\r\n]+/);
  if (collection === "labels" && names.some(isTruthColumn)) {
    const rows = csvRows(body, { stem: "column", names: undefined }, recording);
    return azureTruth(rows, truthOptions(options)).map((captured, index) => ({ index, captured }));
  }
  if (names.includes("$aml_dc_correlation_id")) {
    if (!collection || collection === "labels")
      throw new ServiceError(
        "invalid-input",
        "say what the table has: ?collection=inputs, predictions or labels",
      );
    return azureTableHalves(body, { collection, model }, recording).map(({ row, captured }) => ({
      index: row,
      captured,
    }));
  }
  return csvTexts(body, recording).map((record, index) => {
    if (isLogRecord(record)) return item(index, () => logRecordCapture(record, model, time));
    const reason =
      "the CSV is neither of KServe's logger nor of Azure ML's data collector: a table of records goes to /v1/models/{model}/records";
    return { index, captured: { kind: "refused", reason } };
  });
}

/** Whether the body is one JSON text: what says so, unless it goes on behind its first line as JSON lines do. */
function isWholeJson({ headers, body }: Message): boolean {
  const type = mediaTypeOf(headers);
  if (type?.startsWith("application/cloudevents")) return true;
  if (type !== "application/json") return false;
  const first = body.find((byte) => byte > 0x20);
  return first === 0x5b || !/\}[ \t\r]*\n\s*\{/.test(new TextDecoder().decode(body.subarray(0, 1_000_000)));
}

function item(index: number, read: () => Captured): CapturedItem {
  try {
    return { index, captured: read() };
  } catch (error) {
    return refused(index, error);
  }
}

function refused(index: number, error: unknown): CapturedItem {
  if (!(error instanceof ServiceError)) throw error;
  return { index, captured: { kind: "refused", reason: error.message } };
}
