import type { CapturedCall, CapturedHalf } from "./captured.ts";
import { decodeExchange } from "./decode.ts";
import type { DecodeOptions, Features } from "./exchange.ts";

/** A record as `POST /v1/models/{model}/records` takes it, to be written with `writeJson`. */
export interface CapturedRecord {
  readonly id: string;
  readonly row: number;
  readonly time: string | undefined;
  readonly version: string | undefined;
  readonly deployment: string | undefined;
  readonly inputs: Features;
  readonly outputs: Features;
  readonly status: number | undefined;
  readonly latency_ms: number | undefined;
}

/** What a captured call became. `notes` say what of it was left out and why. */
export type CallRecords =
  | {
      readonly outcome: "records";
      readonly records: readonly CapturedRecord[];
      readonly notes: readonly string[];
    }
  | { readonly outcome: "refused"; readonly reason: string };

/**
 * The records of a call, one per instance: the time is that of the request, latency the time from there to the answer.
 *
 * @param response - Undefined when the format captures requests only.
 */
export function callRecords(
  call: CapturedCall,
  request: CapturedHalf,
  response: CapturedHalf | undefined,
  options: DecodeOptions,
): CallRecords {
  const status = response?.status ?? 200;
  const decoded = decodeExchange(
    {
      method: "POST",
      path: request.path ?? response?.path ?? "/",
      request: request.message,
      response: response && { ...response.message, status },
    },
    options,
  );
  if (decoded.outcome !== "decoded") return { outcome: "refused", reason: decoded.reason };
  const { id, deployment } = call;
  const time = request.time ?? response?.time;
  const version = call.version ?? decoded.version;
  const latency = latencyMs(request.time, response?.time);
  const told = response?.status;
  return {
    outcome: "records",
    records: decoded.rows.map(({ row, inputs, outputs }) => ({
      id,
      row,
      time,
      version,
      deployment,
      inputs,
      outputs,
      status: told,
      latency_ms: latency,
    })),
    notes: decoded.notes,
  };
}

function latencyMs(from: string | undefined, to: string | undefined): number | undefined {
  if (from === undefined || to === undefined || from === to) return undefined;
  const passed = Date.parse(to) - Date.parse(from);
  return passed >= 0 ? passed : undefined;
}
