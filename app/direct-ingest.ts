import type { ServerResponse } from "node:http";
import type { Collector } from "../collector/collector.ts";
import { type BatchFormat, readBody } from "../collector/request-body.ts";
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

/**
 * Takes in records and labels sent as JSON or NDJSON without the router, which costs more per call than storing a
 * record does. Whatever is not plainly such a call, or not allowed, is left to the router: it answers the same and
 * says what is wrong.
 */
export function directIngest({
  collector,
  guard,
  log,
}: {
  readonly collector: Pick<Collector, "limits" | "receiveLabels" | "receiveRecords" | "reserve">;
  readonly guard: Guard;
  readonly log: Log;
}): DirectAnswer {
  return (incoming, outgoing) => {
    if (incoming.method !== "POST") return false;
    const path = incoming.url ?? "";
    const [, model, what] = INGEST.exec(path) ?? [];
    if (model === undefined || log.isLevelEnabled("debug")) return false; // the router notes every call then
    const { headers } = incoming;
    const format = FORMATS.get(headers["content-type"]);
    if (format === undefined || headers["ce-specversion"] !== undefined) return false;
    const header = (name: string) => {
      const value = headers[name];
      return typeof value === "string" ? value : undefined;
    };
    try {
      guard({ method: "POST", path, header }, "ingest");
    } catch {
      return false;
    }
    const take = async () => {
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
    };
    const requestId = requestIdOf(incoming);
    take()
      .then((answer) =>
        send(outgoing, 202, requestId, JSON.stringify(answer), ["content-type", "application/json"]),
      )
      .catch(async (error) => {
        const response = await mishapResponse(error, { log, requestId, incoming, method: "POST", path });
        send(outgoing, response.status, requestId, await response.text(), [...response.headers].flat());
      });
    return true;
  };
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
