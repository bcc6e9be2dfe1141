import { ServiceError } from "../schema/errors.ts";
import { capturedEvent } from "./capture-events.ts";
import { sagemakerCapture } from "./capture-sagemaker.ts";
import type { Captured } from "./captured.ts";
import { binaryEvent, eventModeOf, structuredEvent } from "./cloud-event.ts";
import type { DecodeLimits, Message } from "./exchange.ts";
import { isList, type JsonValue, parseJson } from "./json.ts";
import { linesOf } from "./json-lines.ts";
import { mediaTypeOf } from "./message-header.ts";

/**
 * `events`: CloudEvents of KServe, Seldon, Azure ML or with records of ours, in any mode, or one per line;
 * `sagemaker`: lines of SageMaker's data capture or ground truth.
 */
export type CaptureFormat = "events" | "sagemaker";

/** What a body captures, in order. */
export interface CapturedItem {
  /** Place in the body, from 0: of the event in its batch, or the line number less 1. */
  readonly index: number;
  readonly captured: Captured;
}

/**
 * What the body of one request captures. A part that is not understood is `refused` and does not keep the others back.
 *
 * @param model - Name to store under; needed where the format gives none.
 * @throws ServiceError `invalid-input` when a batch or a JSON body as a whole is not JSON.
 * @see CloudEvents HTTP protocol binding 1.0 for the modes.
 * @example
 * const body = new TextEncoder().encode('{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"inputs":{}}}');
 * const headers = { "content-type": "application/cloudevents+json" };
 * readCaptured({ headers, body }, { format: "events", model: "churn", limits });
 * // [{ index: 0, captured: { kind: "records", model: "churn", records: [{ id: "1", inputs: {} }] } }]
 */
export function readCaptured(
  message: Message,
  {
    format,
    model,
    limits,
  }: {
    readonly format: CaptureFormat;
    readonly model: string | undefined;
    readonly limits: Pick<DecodeLimits, "nesting">;
  },
): CapturedItem[] {
  const { nesting } = limits;
  if (format === "events" && eventModeOf(message.headers) === "binary")
    return [item(0, () => capturedEvent(binaryEvent(message), model, nesting))];
  const read = (value: JsonValue): Captured => {
    if (format === "events") return capturedEvent(structuredEvent(value), model, nesting);
    if (model === undefined)
      throw new ServiceError("invalid-input", "this format names no model: send it with ?model=");
    return sagemakerCapture(value, model, nesting);
  };
  if (isWholeJson(message)) {
    const body = parseJson(message.body, nesting);
    return (isList(body) ? body : [body]).map((value, index) => item(index, () => read(value)));
  }
  return Array.from(linesOf(message.body), ({ number, text }) =>
    item(number - 1, () => read(parseJson(text, nesting))),
  );
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
    if (!(error instanceof ServiceError)) throw error;
    return { index, captured: { kind: "refused", reason: error.message } };
  }
}
