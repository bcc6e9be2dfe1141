import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import type { DecodedExchange, Features } from "../../protocols/exchange.ts";
import type { Call, Payload } from "./call.ts";

/** What a call became: rows, or why not. */
export type DecodedCall =
  | Pick<Extract<DecodedExchange, { outcome: "decoded" }>, "outcome" | "id" | "version" | "rows">
  | { readonly outcome: "undecodable"; readonly why: "too_long" | "cut_off" | "format" };

/**
 * Makes rows of a call. A call that failed is a row also when nothing of its payload is understood, so that failures
 * can be counted; of one that went well, a row without inputs would only look like missing values.
 */
export function decodeCall(call: Call, mostBytes: number): DecodedCall {
  const failed = call.status >= 400;
  const why = notWhole(call.request) ?? (failed ? undefined : notWhole(call.response));
  if (why === undefined) {
    const decoded = decode(call, mostBytes);
    if (decoded) return decoded;
  }
  if (failed)
    return {
      outcome: "decoded",
      id: undefined,
      version: undefined,
      rows: [{ row: 0, inputs: {}, outputs: {} }],
    };
  return { outcome: "undecodable", why: why ?? "format" };
}

function notWhole({ state }: Payload): "too_long" | "cut_off" | undefined {
  if (state === "whole") return undefined;
  return state === "too-long" ? "too_long" : "cut_off";
}

/** Plain JSON, until the codecs of `protocols/` are there. */
function decode(call: Call, mostBytes: number): DecodedCall | undefined {
  const inputs = rowsOf(readJson(call.request, mostBytes));
  if (!inputs) return undefined;
  const outputs = call.status >= 400 ? [] : (rowsOf(readJson(call.response, mostBytes)) ?? []);
  const rows = inputs.map((input, row) => ({ row, inputs: input, outputs: outputs[row] ?? {} }));
  return { outcome: "decoded", id: undefined, version: undefined, rows };
}

function rowsOf(value: unknown): readonly Features[] | undefined {
  const list = Array.isArray(value) ? value : [value];
  return list.length > 0 &&
    list.every((item) => item !== null && typeof item === "object" && !Array.isArray(item))
    ? list
    : undefined;
}

function readJson(payload: Payload, mostBytes: number): unknown {
  try {
    return JSON.parse(Buffer.from(plainBody(payload, mostBytes)).toString());
  } catch {
    return undefined;
  }
}

/** The body with its `content-encoding` undone. @throws Error when it is unknown, damaged or becomes too long. */
function plainBody({ body, encoding }: Payload, mostBytes: number): Uint8Array {
  const options = { maxOutputLength: mostBytes };
  switch (encoding?.trim().toLowerCase() ?? "identity") {
    case "identity":
    case "":
      return body;
    case "gzip":
    case "x-gzip":
      return gunzipSync(body, options);
    case "deflate":
      return inflateSync(body, options);
    case "br":
      return brotliDecompressSync(body, options);
    default:
      throw new RangeError(`content-encoding ${encoding} is not known`);
  }
}
