import { createGunzip, createInflate, type Gunzip, type Inflate } from "node:zlib";
import { ServiceError } from "../schema/errors.ts";
import type { CollectorLimits } from "./limits.ts";

/** How the records of a body follow each other. */
export type BatchFormat = "json" | "ndjson";

const FORMATS: Readonly<Record<string, BatchFormat>> = {
  "application/json": "json",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
  "application/x-jsonlines": "ndjson",
};

/** Ratios are judged beyond this length only: a short body of repeated text inflates harmlessly. */
const RATIO_FREE_BYTES = 1024 * 1024;

/**
 * Format named by a `content-type` header.
 * @throws ServiceError `unsupported-media-type` when it is absent, of another kind, or not UTF-8.
 */
export function batchFormat(contentType: string | undefined): BatchFormat {
  const [type = "", ...parameters] = (contentType ?? "").split(";").map((part) => part.trim().toLowerCase());
  const format = Object.hasOwn(FORMATS, type) ? FORMATS[type] : undefined;
  if (!format) {
    throw new ServiceError(
      "unsupported-media-type",
      `content-type ${contentType ? `"${contentType}"` : "(none)"} is not taken here: expected ${Object.keys(FORMATS).join(", ")}`,
    );
  }
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice("charset=".length);
  if (charset && !/^"?utf-?8"?$/.test(charset)) {
    throw new ServiceError("unsupported-media-type", `charset ${charset} is not taken here: expected utf-8`);
  }
  return format;
}

/**
 * The body of a request, decompressed.
 * @throws ServiceError `too-large` beyond the limits, `unsupported-media-type` for an unknown content-encoding,
 *   `invalid-input` for a damaged compressed body.
 */
export async function readBody(
  request: Request,
  limits: Pick<CollectorLimits, "bodyBytes" | "inflateRatio">,
): Promise<Uint8Array> {
  const encoding = (request.headers.get("content-encoding") ?? "identity").trim().toLowerCase();
  const decoder = decoderFor(encoding);
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > limits.bodyBytes) throw tooLarge(limits.bodyBytes);
  // With a content-length Node's parser has bounded the body already; without one it is counted as it comes.
  const sent =
    length !== null
      ? new Uint8Array(await request.arrayBuffer())
      : await collect(request.body, limits.bodyBytes);
  return decoder ? inflate(sent, decoder, limits) : sent;
}

function decoderFor(encoding: string): Gunzip | Inflate | undefined {
  if (encoding === "identity" || encoding === "") return undefined;
  if (encoding === "gzip" || encoding === "x-gzip") return createGunzip();
  if (encoding === "deflate") return createInflate();
  throw new ServiceError(
    "unsupported-media-type",
    `content-encoding "${encoding}" is not taken here: expected gzip, deflate or identity`,
  );
}

async function collect(body: Request["body"], limit: number): Promise<Uint8Array> {
  if (!body) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    length += part.length;
    if (length > limit) throw tooLarge(limit);
    parts.push(part);
  }
  return Buffer.concat(parts, length);
}

function inflate(
  sent: Uint8Array,
  decoder: Gunzip | Inflate,
  { bodyBytes, inflateRatio }: Pick<CollectorLimits, "bodyBytes" | "inflateRatio">,
): Promise<Uint8Array> {
  const limit = Math.min(bodyBytes, Math.max(RATIO_FREE_BYTES, sent.length * inflateRatio));
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let length = 0;
    decoder.on("data", (part: Uint8Array) => {
      length += part.length;
      if (length <= limit) {
        parts.push(part);
        return;
      }
      decoder.destroy();
      reject(
        limit === bodyBytes
          ? tooLarge(bodyBytes)
          : new ServiceError(
              "too-large",
              `the body inflates to more than ${inflateRatio} times its length: send it less compressed or in smaller batches`,
            ),
      );
    });
    decoder.on("end", () => resolve(Buffer.concat(parts, length)));
    decoder.on("error", (error) =>
      reject(
        new ServiceError("invalid-input", `the compressed body is damaged: ${error.message}`, {
          cause: error,
        }),
      ),
    );
    decoder.end(sent);
  });
}

function tooLarge(limit: number): ServiceError {
  return new ServiceError(
    "too-large",
    `the body is longer than ${limit} bytes (after decompression too): send smaller batches`,
  );
}
