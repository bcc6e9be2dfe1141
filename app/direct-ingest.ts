import type { IncomingMessage, ServerResponse } from "node:http";
import type { Collector } from "../collector/collector.ts";
import { type BatchFormat, readBody } from "../collector/request-body.ts";
import { readShortBody } from "../collector/short-body.ts";
import type { IngestAnswer } from "../schema/record.ts";
import type { Guard } from "./auth.ts";
import { type DirectAnswer, requestIdOf, SECURITY_HEADERS } from "./listen.ts";
import type { Log } from "./log.ts";
import { mishapResponse } from "./problem.ts";

const ALWAYS_SENT = SECURITY_HEADERS.flat();

/** Paths with a name that `resourceName` allows. */
const INGEST = /^\/v1\/models\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})\/(records|labels)$/;
/** Types as nearly every client writes them. */
const FORMATS: ReadonlyMap<string | undefined, BatchFormat> = new Map([
  ["application/json", "json"],
  ["application/json; charset=utf-8", "json"],
  ["application/x-ndjson", "ndjson"],
]);

/** A body that is no longer than that is taken together with others that came in at the same moment. */
const SMALL_BYTES = 64 * 1024;

interface IngestCall {
  readonly what: "records" | "labels";
  readonly model: string;
  readonly format: BatchFormat;
  readonly header: (name: string) => string | undefined;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly requestId: string;
}

interface Options {
  readonly collector: Pick<
    Collector,
    "limits" | "receiveLabels" | "receiveRecords" | "receiveSoon" | "reserve"
  >;
  readonly guard: Guard;
  readonly log: Log;
}

/**
 * Takes in records and labels sent as JSON or NDJSON without the router, which costs more per call than storing a
 * record does. Whatever is not plainly such a call, or not allowed, is left to the router: it answers the same and
 * says what is wrong.
 */
export function directIngest({ collector, guard, log }: Options): DirectAnswer {
  const readSmall = (call: IngestCall, bytes: number) => {
    const { what, model, format, header, incoming } = call;
    const room = collector.reserve();
    const failed = (error: unknown) => {
      room.release();
      refuse(call, error, log);
    };
    try {
      room.grow(bytes);
    } catch (error) {
      failed(error);
      return;
    }
    readShortBody(incoming, {
      read: (body) => {
        const batch = { bytes: body, format, idempotencyKey: header("idempotency-key") };
        const answered = (answer: IngestAnswer) => {
          room.release();
          accept(call, answer);
        };
        collector.receiveSoon({ what, model, batch, answered, failed });
      },
      brokenOff: () => room.release(),
    });
  };
  return (incoming, outgoing) => {
    if (log.isLevelEnabled("debug")) return false; // the router notes every call then
    const call = callOf(incoming, outgoing);
    if (!call) return false;
    try {
      guard({ method: "POST", path: incoming.url ?? "", header: call.header }, "ingest");
    } catch {
      return false;
    }
    const bytes = Number(incoming.headers["content-length"]);
    const isSmall = bytes <= Math.min(SMALL_BYTES, collector.limits.bodyBytes);
    if (isSmall && incoming.headers["content-encoding"] === undefined) readSmall(call, bytes);
    else {
      takeLong(collector, call).then(
        (answer) => accept(call, answer),
        (error: unknown) => refuse(call, error, log),
      );
    }
    return true;
  };
}

function callOf(incoming: IncomingMessage, outgoing: ServerResponse): IngestCall | undefined {
  if (incoming.method !== "POST") return undefined;
  const [, model, what] = INGEST.exec(incoming.url ?? "") ?? [];
  if (model === undefined) return undefined;
  const { headers } = incoming;
  const format = FORMATS.get(headers["content-type"]);
  if (format === undefined || headers["ce-specversion"] !== undefined) return undefined;
  const header = (name: string) => {
    const value = headers[name];
    return typeof value === "string" ? value : undefined;
  };
  const requestId = requestIdOf(incoming);
  return { what: what as IngestCall["what"], model, format, header, incoming, outgoing, requestId }; // one of two in the pattern
}

async function takeLong(
  collector: Options["collector"],
  { what, model, format, header, incoming }: IngestCall,
): Promise<IngestAnswer> {
  const room = collector.reserve();
  try {
    const request = { headers: { get: (name: string) => header(name) ?? null }, body: null };
    const bytes = await readBody({ request, incoming }, collector.limits, room);
    const batch = { bytes, format, idempotencyKey: header("idempotency-key") };
    return await (what === "records"
      ? collector.receiveRecords(model, batch)
      : collector.receiveLabels(model, batch));
  } finally {
    room.release();
  }
}

function accept({ outgoing, requestId }: IngestCall, answer: IngestAnswer): void {
  send(outgoing, 202, requestId, JSON.stringify(answer), ["content-type", "application/json"]);
}

function refuse({ incoming, outgoing, requestId }: IngestCall, error: unknown, log: Log): void {
  const call = { log, requestId, incoming, method: "POST", path: incoming.url ?? "" };
  void mishapResponse(error, call).then(async (response) =>
    send(outgoing, response.status, requestId, await response.text(), [...response.headers].flat()),
  );
}

function send(
  outgoing: ServerResponse,
  status: number,
  requestId: string,
  body: string,
  headers: readonly string[],
): void {
  outgoing.writeHead(status, [
    ...headers,
    "content-length",
    String(Buffer.byteLength(body)),
    "x-request-id",
    requestId,
    ...ALWAYS_SENT,
  ]);
  outgoing.end(body);
}
