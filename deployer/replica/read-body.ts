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
export async function readBody(request: IncomingMessage, mostBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new ServiceError("too-large", `the body is longer than ${mostBytes} bytes`);
  if (Number(request.headers["content-length"]) > mostBytes) throw tooLarge();
  const body = await gather(request, mostBytes, tooLarge);
  const encoding = headerOf(request.headers, "content-encoding")?.toLowerCase();
  if (encoding === undefined || encoding === "identity") return body;
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
    request.on("data", (part: Buffer) => {
      bytes += part.length;
      if (bytes > mostBytes) {
        request.removeAllListeners("data");
        request.resume();
        reject(tooLarge());
      } else if (!only) only = part;
      else if (parts) parts.push(part);
      else parts = [only, part];
    });
    request.on("end", () => resolve(parts ? Buffer.concat(parts, bytes) : (only ?? new Uint8Array())));
    request.on("error", () => reject(new ServiceError("invalid-input", "the request broke off")));
    request.on("close", () => reject(new ServiceError("invalid-input", "the request broke off")));
  });
}
