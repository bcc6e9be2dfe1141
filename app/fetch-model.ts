import { createHash, type Hash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { checkFilePath } from "../registry/file-path.ts";
import { ServiceError } from "../schema/errors.ts";
import type { ModelFile, ModelVersion } from "../schema/model-version.ts";
import type { ApiClient } from "./api-client.ts";

/**
 * Fetches files of a version into a folder, each checked against its hash. Those that are there already stay, and one
 * that broke off is gone on with.
 */
export async function fetchModel(
  client: ApiClient,
  {
    version,
    files,
    folder,
    onProgress,
  }: {
    readonly version: ModelVersion;
    readonly files: readonly ModelFile[];
    readonly folder: string;
    readonly onProgress?: (bytes: number, path: string) => void;
  },
): Promise<void> {
  let bytes = 0;
  for (const file of files) {
    const target = join(folder, checkFilePath(file.path)); // what a server says is not believed either
    const before = bytes;
    if (!(await isThere(target, file))) {
      await fetchFile(client, {
        version,
        file,
        target,
        onPart: (more) => {
          bytes += more;
          onProgress?.(bytes, file.path);
        },
      });
    }
    bytes = before + file.bytes;
    onProgress?.(bytes, file.path);
  }
}

async function fetchFile(
  client: ApiClient,
  {
    version,
    file,
    target,
    onPart,
  }: {
    readonly version: ModelVersion;
    readonly file: ModelFile;
    readonly target: string;
    readonly onPart: (bytes: number) => void;
  },
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  // Named by its content: what is left of another version is nothing to go on with.
  const partial = `${target}.${file.sha256.slice(0, 12)}.partial`;
  const path = file.path.split("/").map(encodeURIComponent).join("/");
  const there = await bytesOf(partial, file);
  const response = await client.call({
    path: `/v1/models/${encodeURIComponent(version.model)}/versions/${version.version}/files/${path}`,
    headers: there === 0 ? {} : { range: `bytes=${there}-`, "if-range": `"${file.sha256}"` },
  });
  if (!response.body) throw new ServiceError("upstream-failed", `the server sent nothing for ${file.path}`);
  const goesOn = response.status === 206;
  const hash = createHash("sha256");
  if (goesOn) {
    await feedFile(partial, hash);
    onPart(there);
  }
  const measured = new Transform({
    transform(part: Buffer, _, done) {
      hash.update(part);
      onPart(part.length);
      done(null, part);
    },
  });
  await pipeline(
    Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
    measured,
    createWriteStream(partial, { flags: goesOn ? "a" : "w" }),
  ).catch((error: unknown) => {
    throw new ServiceError(
      "upstream-failed",
      `${file.path} broke off while it came: try again, and it goes on from there`,
      { cause: error },
    );
  });
  if (hash.digest("hex") !== file.sha256) {
    await rm(partial, { force: true });
    throw new ServiceError(
      "upstream-failed",
      `${file.path} did not arrive whole: its SHA-256 differs, try again`,
    );
  }
  await rename(partial, target);
}

/** How much of a file an earlier try has left; 0 when nothing, or nothing to go on with. */
async function bytesOf(partial: string, { bytes }: ModelFile): Promise<number> {
  const info = await stat(partial).catch(() => undefined);
  return info?.isFile() && info.size < bytes ? info.size : 0;
}

async function feedFile(path: string, hash: Hash): Promise<void> {
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
}

async function isThere(path: string, { bytes, sha256 }: ModelFile): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile() || info.size !== bytes) return false;
  const hash = createHash("sha256");
  await feedFile(path, hash);
  return hash.digest("hex") === sha256;
}
