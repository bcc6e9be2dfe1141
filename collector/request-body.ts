import type { IncomingMessage } from "node:http";
import { createGunzip, createInflate, type Gunzip, type Inflate } from "node:zlib";
import { ServiceError } from "../schema/errors.ts";
import type { CollectorLimits } from "./limits.ts";
import type { Reservation } from "./reservations.ts";

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

/** A request, and what it came in by where it came over a connection: read from there, a body is copied less. */
export interface BodySource {
  readonly request: Request;
  readonly incoming?: IncomingMessage | undefined;
}

/**
 * The body of a request, decompressed.
 * @throws ServiceError `too-large` beyond the limits, `unsupported-media-type` for an unknown content-encoding,
 *   `invalid-input` for a damaged compressed body, `queue-full` when there is no room for it.
 */
export async function readBody(
  {
    request,
    incoming,
  }: {
    readonly request: Pick<Request, "body"> & { readonly headers: Pick<Headers, "get"> };
    readonly incoming?: IncomingMessage | undefined;
  },
  limits: Pick<CollectorLimits, "bodyBytes" | "inflateRatio">,
  room: Pick<Reservation, "grow" | "memory">,
): Promise<Uint8Array> {
  const decoder = decoderFor(request.headers.get("content-encoding"));
  const header = request.headers.get("content-length");
  const length = header === null ? undefined : Number(header);
  if (length !== undefined && length > limits.bodyBytes) throw tooLarge(limits.bodyBytes);
  const sent = await (incoming
    ? receive(incoming, length, limits.bodyBytes, room)
    : collect(request.body, limits.bodyBytes, room));
  return decoder ? inflate(sent, decoder, limits, room) : sent;
}

function decoderFor(header: string | null): Gunzip | Inflate | undefined {
  const encoding = header?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity" || encoding === "") return undefined;
  if (encoding === "gzip" || encoding === "x-gzip") return createGunzip();
  if (encoding === "deflate") return createInflate();
  throw new ServiceError(
    "unsupported-media-type",
    `content-encoding "${encoding}" is not taken here: expected gzip, deflate or identity`,
  );
}

/** A body of so many bytes, if its length is known. The connection stays whole when it is refused. */
function receive(
  incoming: IncomingMessage,
  length: number | undefined,
  limit: number,
  room: Pick<Reservation, "grow" | "memory">,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (length !== undefined) room.grow(length);
    const parts: Buffer[] = [];
    let whole: Buffer | undefined;
    let received = 0;
    const take = (part: Buffer) => {
      const at = received;
      received += part.length;
      try {
        if (received > limit) throw tooLarge(limit);
        if (length === undefined) room.grow(part.length);
      } catch (error) {
        incoming.off("data", take);
        reject(error);
        return;
      }
      if (length === undefined || part.length === length) parts.push(part);
      else {
        whole ??= room.memory(length);
        whole.set(part, at);
      }
    };
    const end = () => {
      incoming.off("data", take); // the memory is another request's soon
      if (!incoming.complete)
        reject(new ServiceError("invalid-input", `the body was cut short after ${received} bytes`));
      else if (whole) resolve(whole.subarray(0, received));
      else resolve(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts, received));
    };
    incoming.on("data", take);
    incoming.once("end", end);
    incoming.once("close", end);
    incoming.once("error", end);
  });
}

async function collect(
  body: Request["body"],
  limit: number,
  room: Pick<Reservation, "grow">,
): Promise<Uint8Array> {
  if (!body) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    length += part.length;
    if (length > limit) throw tooLarge(limit);
    room.grow(part.length);
    parts.push(part);
  }
  return Buffer.concat(parts, length);
}

function inflate(
  sent: Uint8Array,
  decoder: Gunzip | Inflate,
  { bodyBytes, inflateRatio }: Pick<CollectorLimits, "bodyBytes" | "inflateRatio">,
  room: Pick<Reservation, "grow">,
): Promise<Uint8Array> {
  const limit = Math.min(bodyBytes, Math.max(RATIO_FREE_BYTES, sent.length * inflateRatio));
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let length = 0;
    decoder.on("data", (part: Uint8Array) => {
      length += part.length;
      parts.push(part);
      try {
        if (length > limit) throw limit === bodyBytes ? tooLarge(bodyBytes) : tooDense(inflateRatio);
        room.grow(part.length);
      } catch (error) {
        decoder.destroy();
        reject(error);
      }
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

function tooDense(ratio: number): ServiceError {
  return new ServiceError(
    "too-large",
    `the body inflates to more than ${ratio} times its length: send it less compressed or in smaller batches`,
  );
}

function tooLarge(limit: number): ServiceError {
  return new ServiceError(
    "too-large",
    `the body is longer than ${limit} bytes (after decompression too): send smaller batches`,
  );
}
