import { createHash } from "node:crypto";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { decodeExchange } from "../../protocols/decode.ts";
import type { DecodedExchange, DecodeOptions, Message } from "../../protocols/exchange.ts";
import type { Call, Payload } from "./call.ts";

/** What a call became: rows, or why not. */
export type DecodedCall =
  | Pick<Extract<DecodedExchange, { outcome: "decoded" }>, "outcome" | "id" | "version" | "rows">
  | {
      readonly outcome: "undecodable";
      readonly why: "too_long" | "cut_off" | "format";
      readonly reason: string;
    };

/** How payloads are read. */
export function decodeOptions(
  names: Pick<DecodeOptions, "featureNames" | "outputNames"> = {},
): DecodeOptions {
  const { featureNames, outputNames } = names;
  const digest = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { featureNames, outputNames, digest };
}

/**
 * Makes rows of a call. A call that failed is a row also when nothing of its payload is understood, so that failures
 * can be counted; of one that went well, a row without inputs would only look like missing values.
 */
export function decodeCall(call: Call, mostBytes: number, options: DecodeOptions): DecodedCall {
  const failed = call.status >= 400;
  const decoded = notWhole(call.request, "request") ?? decode(call, mostBytes, options);
  if (decoded.outcome === "undecodable" && failed) {
    return {
      outcome: "decoded",
      id: undefined,
      version: undefined,
      rows: [{ row: 0, inputs: {}, outputs: {} }],
    };
  }
  return failed ? decoded : (notWhole(call.response, "answer") ?? decoded);
}

function notWhole({ state }: Payload, what: string): DecodedCall | undefined {
  if (state === "whole") return undefined;
  return state === "too-long"
    ? { outcome: "undecodable", why: "too_long", reason: `the ${what} is longer than --max-body` }
    : { outcome: "undecodable", why: "cut_off", reason: `the ${what} ended early` };
}

function decode(
  { path, status, request, response }: Call,
  mostBytes: number,
  options: DecodeOptions,
): DecodedCall {
  try {
    const answer = status >= 400 ? { headers: {}, body: new Uint8Array() } : messageOf(response, mostBytes);
    const decoded = decodeExchange(
      { method: "POST", path, request: messageOf(request, mostBytes), response: { ...answer, status } },
      options,
    );
    if (decoded.outcome === "decoded") return decoded;
    return { outcome: "undecodable", why: "format", reason: decoded.reason };
  } catch (error) {
    return { outcome: "undecodable", why: "format", reason: (error as Error).message };
  }
}

/** A payload with its `content-encoding` undone. @throws Error when it is unknown, damaged or becomes too long. */
function messageOf({ type, encoding, headerLength, body }: Payload, mostBytes: number): Message {
  return {
    headers: { "content-type": type, "inference-header-content-length": headerLength },
    body: plainBody(body, encoding?.trim().toLowerCase() ?? "identity", mostBytes),
  };
}

function plainBody(body: Uint8Array, encoding: string, mostBytes: number): Uint8Array {
  const options = { maxOutputLength: mostBytes };
  switch (encoding) {
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
