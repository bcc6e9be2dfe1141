import type { DecodedRow, Features } from "../../protocols/exchange.ts";
import { writeJson } from "../../protocols/json.ts";
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
  const record = {
    id: call.id,
    row: row.row,
    time: new Date(call.timeMs).toISOString(),
    version,
    deployment,
    inputs: redact(row.inputs),
    outputs: redact(row.outputs),
    status: call.status,
    latency_ms: call.latencyMs,
  };
  return holdsBigInt(record.inputs) || holdsBigInt(record.outputs)
    ? writeJson(record)
    : JSON.stringify(record);
}

/** Whether a value is a whole number beyond 2^53, which `JSON.stringify` does not take. */
function holdsBigInt(values: Features): boolean {
  for (const name in values) {
    const value = values[name];
    if (typeof value === "bigint") return true;
    if (typeof value === "object" && value !== null && holdsBigInt(value as Features)) return true;
  }
  return false;
}
