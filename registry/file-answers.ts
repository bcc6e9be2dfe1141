import { Readable } from "node:stream";
import { ServiceError } from "../schema/errors.ts";
import type { ModelFile, ModelVersion } from "../schema/model-version.ts";
import type { BlobStore } from "./blob-store.ts";
import { tar, tarBytes } from "./tar.ts";

/** A file of a version as an answer. What arrives whole is what was registered: a damaged file breaks off. */
export function fileAnswer(request: Request, file: ModelFile, blobs: BlobStore): Response {
  const etag = `"${file.sha256}"`;
  const headers = {
    etag,
    "content-type": "application/octet-stream",
    "content-length": String(file.bytes),
    "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.path.split("/").at(-1) ?? "")}`,
    "repr-digest": `sha-256=:${Buffer.from(file.sha256, "hex").toString("base64")}:`,
  };
  if (request.headers.get("if-none-match") === etag)
    return new Response(null, { status: 304, headers: { etag } });
  if (request.method === "HEAD") return new Response(null, { headers });
  return new Response(webStream(blobs.read(file)), { headers });
}

/** All files of a version as one tar archive, in a folder named after the version. */
export function archiveAnswer(request: Request, version: ModelVersion, blobs: BlobStore): Response {
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

/** @throws ServiceError `not-found`, naming the files there are. */
export function fileOf(version: ModelVersion, path: string): ModelFile {
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
