import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { ServiceError } from "../../schema/errors.ts";

const unzip = promisify(gunzip);
const unflate = promisify(inflate);

/** Who waits for a body. */
interface BodyReader {
  readonly read: (body: Uint8Array) => void;
  /** With a ServiceError. */
  readonly failed: (error: unknown) => void;
}

/**
 * Reads the body of a request, its `content-encoding` undone, without a promise where none is needed.
 *
 * It fails with `too-large` as soon as it is, with `unsupported-media-type` for an encoding that is not known.
 */
export function readBody(request: IncomingMessage, mostBytes: number, { read, failed }: BodyReader): void {
  const { headers } = request;
  const tooLarge = () =>
    new ServiceError(
      "too-large",
      `the body is longer than ${mostBytes} bytes: send less at once, or raise limits.max_body_bytes of the deployment`,
    );
  if (Number(headers["content-length"]) > mostBytes) {
    failed(tooLarge());
    return;
  }
  const encoding = headers["content-encoding"]?.toLowerCase();
  if (encoding === undefined || encoding === "identity")
    gather(request, mostBytes, tooLarge, { read, failed });
  else
    gather(request, mostBytes, tooLarge, {
      read: (encoded) => void decode(encoded, encoding, mostBytes, tooLarge).then(read, failed),
      failed,
    });
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
  { read, failed }: BodyReader,
): void {
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
      failed(tooLarge());
    } else if (!only) only = part;
    else if (parts) parts.push(part);
    else parts = [only, part];
  });
  request.on("end", () => {
    if (state === "read") return;
    state = "read";
    read(parts ? Buffer.concat(parts, bytes) : (only ?? new Uint8Array()));
  });
  // One that breaks off is closed without an end; nobody listening to its error, it has none.
  request.on("close", () => {
    if (state === "reading") failed(new ServiceError("invalid-input", "the request broke off"));
  });
}
