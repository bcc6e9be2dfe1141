import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { ServiceError } from "../../schema/errors.ts";
import type { BodySource } from "../request-body.ts";

/**
 * Writes a body, decompressed, to a file as it comes; nothing of it stays in memory.
 *
 * @returns The SHA-256 of what was written, in hexadecimal.
 * @throws ServiceError `too-large` beyond `mostBytes`, `invalid-input` for an empty, cut or damaged body.
 */
export async function spoolBody(
  { request, incoming }: BodySource,
  { file, mostBytes }: { readonly file: string; readonly mostBytes: number },
): Promise<{ readonly sha256: string }> {
  const encoding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding !== "identity" && encoding !== "gzip")
    throw new ServiceError(
      "unsupported-media-type",
      `content-encoding "${encoding.slice(0, 40)}" is not taken here: expected gzip or identity`,
    );
  const source =
    incoming ?? (request.body && Readable.fromWeb(request.body as Parameters<typeof Readable.fromWeb>[0]));
  if (!source) throw new ServiceError("invalid-input", "the body is empty");
  let bytes = 0;
  const hash = createHash("sha256");
  const measured = new Transform({
    transform(part: Buffer, _, done) {
      bytes += part.length;
      hash.update(part); // here, since reading the file for it afterwards would take several times as long
      if (bytes <= mostBytes) done(null, part);
      else
        done(new ServiceError("too-large", `the table is longer than ${mostBytes} bytes: send it in parts`));
    },
  });
  const target = createWriteStream(file);
  try {
    if (encoding === "gzip") await pipeline(source, createGunzip(), measured, target);
    else await pipeline(source, measured, target);
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    if ((error as NodeJS.ErrnoException).code?.startsWith("E")) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      if (/^E(NOSPC|IO|DQUOT|ROFS|ACCES)$/.test(code))
        throw new ServiceError("unavailable", `the table could not be written to disk: ${code}`, {
          retryAfterSeconds: 10,
          cause: error,
        });
    }
    throw new ServiceError("invalid-input", `the body did not arrive whole: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (bytes === 0) throw new ServiceError("invalid-input", "the body is empty");
  return { sha256: hash.digest("hex") };
}
