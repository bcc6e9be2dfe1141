import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "../schema/errors.ts";
import type { ModelVersion, Registration } from "../schema/model-version.ts";
import type { ApiClient } from "./api-client.ts";
import type { LocalFile } from "./model-files.ts";
import { waitBeforeRetry } from "./send-batches.ts";

const LINE = "\r\n";

/**
 * Registers the files as a version. They are sent as they are read; when the connection breaks all of it is sent again
 * under the same key, so that there is one version in the end.
 */
export async function sendModel(
  client: ApiClient,
  {
    registration,
    files,
    key = randomUUID(),
    onProgress,
  }: {
    readonly registration: Partial<Registration> & { readonly name: string };
    readonly files: readonly LocalFile[];
    readonly key?: string;
    readonly onProgress?: (bytes: number) => void;
  },
): Promise<ModelVersion> {
  for (let tries = 1; ; tries++) {
    const boundary = `leeway-${randomUUID()}`;
    const hashes = new Map<string, string>();
    let bytes = 0;
    const count = (more: number) => {
      bytes += more;
      onProgress?.(bytes);
    };
    try {
      const version = await client.json<ModelVersion>({
        method: "POST",
        path: "/v1/models",
        headers: { "content-type": `multipart/form-data; boundary=${boundary}`, "idempotency-key": key },
        body: Readable.toWeb(
          Readable.from(formOf({ registration, files, boundary, hashes, count })),
        ) as ReadableStream,
      });
      for (const { path, sha256 } of version.files) {
        if (hashes.has(path) && hashes.get(path) !== sha256) throw changed(path);
      }
      return version;
    } catch (error) {
      const waitMs = waitBeforeRetry(error, tries, bytes === 0 ? "nothing" : "something");
      if (waitMs === undefined) throw error;
      await sleep(waitMs);
    }
  }
}

async function* formOf({
  registration,
  files,
  boundary,
  hashes,
  count,
}: {
  readonly registration: object;
  readonly files: readonly LocalFile[];
  readonly boundary: string;
  readonly hashes: Map<string, string>;
  readonly count: (bytes: number) => void;
}): AsyncGenerator<Buffer> {
  const part = (header: string) =>
    Buffer.from(`--${boundary}${LINE}content-disposition: form-data; ${header}${LINE}${LINE}`);
  yield part('name="metadata"');
  yield Buffer.from(`${JSON.stringify(registration)}${LINE}`);
  for (const { file, path } of files) {
    // As browsers write it (WHATWG HTML, multipart/form-data): a quote is the one character left that would end it.
    yield part(
      `name="file"; filename="${path.replaceAll('"', "%22")}"${LINE}content-type: application/octet-stream`,
    );
    const hash = createHash("sha256");
    for await (const bytes of createReadStream(file, { highWaterMark: 1 << 18 })) {
      hash.update(bytes as Buffer);
      count((bytes as Buffer).length);
      yield bytes as Buffer;
    }
    hashes.set(path, hash.digest("hex"));
    yield Buffer.from(LINE);
  }
  yield Buffer.from(`--${boundary}--${LINE}`);
}

function changed(path: string): ServiceError {
  return new ServiceError(
    "upstream-failed",
    `${path} did not arrive as it was sent: delete the version and register it again`,
  );
}
