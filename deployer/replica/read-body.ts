import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { headerOf } from "../../protocols/message-header.ts";
import { ServiceError } from "../../schema/errors.ts";

const unzip = promisify(gunzip);
const unflate = promisify(inflate);

/**
 * The body of a request, its `content-encoding` undone.
 *
 * @throws ServiceError `too-large` as soon as it is, `unsupported-media-type` for an encoding that is not known.
 */
export function readBody(request: IncomingMessage, mostBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new ServiceError("too-large", `the body is longer than ${mostBytes} bytes`);
  if (Number(request.headers["content-length"]) > mostBytes) return Promise.reject(tooLarge());
  const body = gather(request, mostBytes, tooLarge);
  const encoding = headerOf(request.headers, "content-encoding")?.toLowerCase();
  if (encoding === undefined || encoding === "identity") return body;
  return body.then((encoded) => decode(encoded, encoding, mostBytes, tooLarge));
}

async function decode(
  body: Uint8Array,
  encoding: string,
  mostBytes: number,
  tooLarge: () => ServiceError,
): Promise<Uint8Array> {
  const undo = encoding === "gzip" ? unzip : encoding === "deflate" ? unflate : undefined;
  if (!undo)
    throw new ServiceError(
      "unsupported-media-type",
      `content-encoding ${encoding.slice(0, 60)} is not gzip, deflate or identity`,
    );
  try {
    return await undo(body, { maxOutputLength: mostBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge();
    throw new ServiceError("invalid-input", `the body is not what its content-encoding ${encoding} says`);
  }
}

function gather(
  request: IncomingMessage,
  mostBytes: number,
  tooLarge: () => ServiceError,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let only: Buffer | undefined;
    let parts: Buffer[] | undefined;
    let bytes = 0;
    let state: "reading" | "read" = "reading";
    request.on("data", (part: Buffer) => {
      bytes += part.length;
      if (bytes > mostBytes) {
        state = "read";
        request.removeAllListeners("data");
        request.resume();
        reject(tooLarge());
      } else if (!only) only = part;
      else if (parts) parts.push(part);
      else parts = [only, part];
    });
    request.on("end", () => {
      state = "read";
      resolve(parts ? Buffer.concat(parts, bytes) : (only ?? new Uint8Array()));
    });
    const brokeOff = () => {
      if (state === "reading") reject(new ServiceError("invalid-input", "the request broke off"));
    };
    request.on("error", brokeOff);
    request.on("close", brokeOff);
  });
}
