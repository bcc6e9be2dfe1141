import { Readable } from "node:stream";
import { ServiceError } from "../schema/errors.ts";
import type { ModelFile, ModelVersion } from "../schema/model-version.ts";
import type { BlobStore, BytesOfBlob } from "./blob-store.ts";
import { tar, tarBytes } from "./tar.ts";

/**
 * A file of a version as an answer, or the part of it that is asked for. What arrives whole is what was registered: a
 * damaged file breaks off, and is refused from then on. Whoever puts parts together has the hash of the whole in the tag.
 *
 * @throws ServiceError `not-found`, naming the files there are, or `store-damaged`.
 * @see RFC 9110, section 14.
 */
export async function fileAnswer(
  request: Request,
  { version, path }: { readonly version: ModelVersion; readonly path: string },
  blobs: BlobStore,
): Promise<Response> {
  const file = fileOf(version, path);
  await checkSound(version, [file], blobs);
  const etag = `"${file.sha256}"`;
  const headers = {
    etag,
    "accept-ranges": "bytes",
    "content-type": "application/octet-stream",
    "content-length": String(file.bytes),
    "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.path.split("/").at(-1) ?? "")}`,
    "repr-digest": `sha-256=:${Buffer.from(file.sha256, "hex").toString("base64")}:`,
  };
  if (request.headers.get("if-none-match") === etag)
    return new Response(null, { status: 304, headers: { etag } });
  if (request.method === "HEAD") return new Response(null, { headers });
  const part = partOf(request.headers, etag, file.bytes);
  if (part === "whole") return new Response(webStream(blobs.read(file)), { headers });
  if (part === "none")
    return new Response(null, {
      status: 416,
      headers: { "accept-ranges": "bytes", "content-range": `bytes */${file.bytes}` },
    });
  return new Response(webStream(blobs.readPart(file, part)), {
    status: 206,
    headers: {
      ...headers,
      "content-length": String(part.to - part.from),
      "content-range": `bytes ${part.from}-${part.to - 1}/${file.bytes}`,
    },
  });
}

/** Which bytes are asked for: `none` when there are none there. Several parts at once, or those of another content, are all of it. */
function partOf(headers: Headers, etag: string, bytes: number): BytesOfBlob | "whole" | "none" {
  const asked = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.get("range") ?? "");
  const condition = headers.get("if-range");
  if (!asked || (condition !== null && condition !== etag)) return "whole";
  const [, first = "", last = ""] = asked;
  if (first === "" && last === "") return "whole";
  const from = first === "" ? Math.max(0, bytes - Number(last)) : Number(first);
  const to = first === "" || last === "" ? bytes : Math.min(bytes, Number(last) + 1);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return "whole"; // it is none
  return from < to ? { from, to } : "none";
}

/** All files of a version as one tar archive, in a folder named after the version. @throws ServiceError `store-damaged`. */
export async function archiveAnswer(
  request: Request,
  version: ModelVersion,
  blobs: BlobStore,
): Promise<Response> {
  await checkSound(version, version.files, blobs);
  const folder = `${version.model}-${version.version}`;
  const entries = version.files.map((file) => ({
    path: `${folder}/${file.path}`,
    bytes: file.bytes,
    open: () => blobs.read(file),
  }));
  const headers = {
    "content-type": "application/x-tar",
    "content-length": String(tarBytes(entries)),
    "content-disposition": `attachment; filename="${folder}.tar"`,
  };
  if (request.method === "HEAD") return new Response(null, { headers });
  return new Response(webStream(tar(entries, new Date(version.created_at))), { headers });
}

/** Files that broke off before would do so again: whoever asks is to hear why. */
async function checkSound(
  { model, version }: ModelVersion,
  files: readonly ModelFile[],
  blobs: BlobStore,
): Promise<void> {
  for (const { path, sha256, bytes } of files) {
    if (await blobs.isSound({ sha256, bytes })) continue;
    throw new ServiceError(
      "store-damaged",
      `${path} of ${model}:${version} is damaged where it is stored: register the same file again, or restore models/blobs/${sha256.slice(0, 2)}/${sha256} from a backup`,
    );
  }
}

function fileOf(version: ModelVersion, path: string): ModelFile {
  const file = version.files.find((known) => known.path === path);
  if (file) return file;
  const some = version.files.slice(0, 10).map((known) => known.path);
  throw new ServiceError(
    "not-found",
    `version ${version.version} of model "${version.model}" has no file "${path}"; it has ${some.join(", ") || "none"}${version.files.length > 10 ? " …" : ""}`,
  );
}

function webStream(stream: Readable): ReadableStream {
  return Readable.toWeb(stream) as ReadableStream; // two declarations of the same class
}
