import type { DecodedRow } from "../../protocols/exchange.ts";
import type { Call } from "./call.ts";
import type { redactor } from "./redact.ts";

export interface RecordOptions {
  readonly version: string | undefined;
  readonly deployment: string | undefined;
  readonly redact: ReturnType<typeof redactor>;
}

/** One row of a call as the JSON text that the collector takes. */
export function recordText(
  call: Pick<Call, "timeMs" | "latencyMs" | "status"> & { readonly id: string },
  row: DecodedRow,
  { version, deployment, redact }: RecordOptions,
): string {
  return JSON.stringify({
    id: call.id,
    row: row.row,
    time: new Date(call.timeMs).toISOString(),
    version,
    deployment,
    inputs: redact(row.inputs),
    outputs: redact(row.outputs),
    status: call.status,
    latency_ms: call.latencyMs,
  });
}
