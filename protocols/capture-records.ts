import type { CapturedCall, CapturedHalf } from "./captured.ts";
import { decodeExchange } from "./decode.ts";
import type { DecodedRow, DecodeOptions, Features, FeatureValue } from "./exchange.ts";
import { setOwn } from "./own-property.ts";
import { short } from "./tensor.ts";

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

export interface RecordOptions extends DecodeOptions {
  /** Output or input that holds a row's own id, by which its truth will be known; it is then neither. */
  readonly idName?: string | undefined;
}

/**
 * The records of a call, one per instance: the time is that of the request, latency the time from there to the answer. Each
 * has the call's id and its place in it, or its own id.
 *
 * @param response - Undefined when the format captures requests only.
 */
export function callRecords(
  call: CapturedCall,
  request: CapturedHalf,
  response: CapturedHalf | undefined,
  options: RecordOptions,
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
  const { idName } = options;
  const rows = decoded.rows.map((row) => ({
    row,
    own: idName === undefined ? undefined : namedRow(row, idName),
  }));
  const records = rows.map(({ row, own }) => ({
    ...(own ?? { id, ...row }),
    time,
    version,
    deployment,
    status: told,
    latency_ms: latency,
  }));
  const nameless = idName === undefined ? 0 : rows.filter(({ own }) => !own).length;
  const note = `${nameless} of ${rows.length} rows have no ${short(idName)}: they have the id of their call`;
  return { outcome: "records", records, notes: nameless === 0 ? decoded.notes : [...decoded.notes, note] };
}

/** The row by its own id, which is no feature then; undefined when it has none. */
function namedRow(
  { inputs, outputs }: DecodedRow,
  name: string,
): Pick<CapturedRecord, "id" | "row" | "inputs" | "outputs"> | undefined {
  const id = rowId(outputs, name) ?? rowId(inputs, name);
  return id === undefined
    ? undefined
    : { id, row: 0, inputs: without(inputs, name), outputs: without(outputs, name) };
}

function rowId(features: Features, name: string): string | undefined {
  const value: FeatureValue | undefined = Object.hasOwn(features, name) ? features[name] : undefined;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function without(features: Features, name: string): Features {
  if (!Object.hasOwn(features, name)) return features;
  const kept: Record<string, FeatureValue> = {};
  for (const [each, value] of Object.entries(features)) if (each !== name) setOwn(kept, each, value);
  return kept;
}

function latencyMs(from: string | undefined, to: string | undefined): number | undefined {
  if (from === undefined || to === undefined || from === to) return undefined;
  const passed = Date.parse(to) - Date.parse(from);
  return passed >= 0 ? passed : undefined;
}
