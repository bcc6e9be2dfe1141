import type { DecodedRow, Features } from "../../protocols/exchange.ts";
import { writeJson } from "../../protocols/json.ts";
import type { Call } from "./call.ts";
import type { redactor } from "./redact.ts";

export interface RecordOptions {
  readonly version: string | undefined;
  readonly deployment: string | undefined;
  readonly redact: ReturnType<typeof redactor>;
}

/** Makes of each row of a call the JSON text that the collector takes. What the rows share is written once. */
export function recordWriter(
  call: Pick<Call, "timeMs" | "latencyMs" | "status"> & { readonly id: string; readonly weight?: number },
  { version, deployment, redact }: RecordOptions,
): (row: DecodedRow) => string {
  const time = new Date(call.timeMs).toISOString();
  const names = `${member("version", version)}${member("deployment", deployment)}`;
  const start = `{"id":${JSON.stringify(call.id)},"time":"${time}"${names},"row":`;
  const weight = (call.weight ?? 1) === 1 ? "" : `,"weight":${call.weight}`;
  const end = `,"status":${call.status},"latency_ms":${call.latencyMs}${weight}}`;
  return ({ row, inputs, outputs }) =>
    `${start}${row},"inputs":${textOf(redact(inputs))},"outputs":${textOf(redact(outputs))}${end}`;
}

function member(name: string, value: string | undefined): string {
  return value === undefined ? "" : `,"${name}":${JSON.stringify(value)}`;
}

/** `JSON.stringify` takes no whole numbers beyond 2^53 and says so; to look for them first would cost every record. */
function textOf(values: Features): string {
  try {
    return JSON.stringify(values);
  } catch {
    return writeJson(values);
  }
}
