import type { DecodedRow, Features } from "../../protocols/exchange.ts";
import { writeJson } from "../../protocols/json.ts";
import type { Call } from "./call.ts";
import type { redactor } from "./redact.ts";

export interface RecordOptions {
  readonly version: string | undefined;
  readonly deployment: string | undefined;
}

type RecordedCall = Pick<Call, "timeMs" | "latencyMs" | "status"> & {
  readonly id: string;
  readonly weight?: number;
};

/** Makes of each row of a call the JSON text that the collector takes. */
export function recordWriter(
  call: RecordedCall,
  options: RecordOptions & { readonly redact: ReturnType<typeof redactor> },
): (row: DecodedRow) => string {
  const { start, end } = frameOf(call, options);
  const { redact } = options;
  return ({ row, inputs, outputs }) =>
    `${start}${row},"inputs":${textOf(redact(inputs))},"outputs":${textOf(redact(outputs))}${end}`;
}

/** The same, in parts, of a call with a single row whose features are JSON already. */
export function flatRecord(
  call: RecordedCall,
  options: RecordOptions,
  { inputs, outputs }: Readonly<Record<"inputs" | "outputs", string | Uint8Array>>,
): readonly (string | Uint8Array)[] {
  const { start, end } = frameOf(call, options);
  return [`${start}0,"inputs":`, inputs, ',"outputs":', outputs, end];
}

/** `JSON.stringify` takes no whole numbers beyond 2^53 and says so; to look for them first would cost every record. */
export function textOf(values: Features): string {
  try {
    return JSON.stringify(values);
  } catch {
    return writeJson(values);
  }
}

/** JSON around the features of a call's rows. What they share is written once. */
function frameOf(
  call: RecordedCall,
  { version, deployment }: RecordOptions,
): { readonly start: string; readonly end: string } {
  const names = `${member("version", version)}${member("deployment", deployment)}`;
  const weight = (call.weight ?? 1) === 1 ? "" : `,"weight":${call.weight}`;
  return {
    start: `{"id":${JSON.stringify(call.id)},"time":"${timeText(call.timeMs)}"${names},"row":`,
    end: `,"status":${call.status},"latency_ms":${call.latencyMs}${weight}}`,
  };
}

let lastTime = { ms: Number.NaN, text: "" };

/** Calls come many in a millisecond. */
function timeText(timeMs: number): string {
  if (lastTime.ms !== timeMs) lastTime = { ms: timeMs, text: new Date(timeMs).toISOString() };
  return lastTime.text;
}

function member(name: string, value: string | undefined): string {
  return value === undefined ? "" : `,"${name}":${JSON.stringify(value)}`;
}
