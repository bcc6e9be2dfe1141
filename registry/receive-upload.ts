import type { Readable } from "node:stream";
import busboy from "busboy";
import { ServiceError } from "../schema/errors.ts";
import type { BlobStore, Held } from "./blob-store.ts";
import { feed } from "./body-of.ts";
import { checkFilePath, checkTogether } from "./file-path.ts";

/** A file of an upload, stored and held. */
export interface ReceivedFile extends Held {
  readonly path: string;
}

/** A text field of the form; a name may come more than once. */
export interface FormField {
  readonly name: string;
  readonly value: string;
}

export interface UploadLimits {
  /** Of all files of a version together; the setting is `max_model_bytes`. */
  readonly modelBytes: number;
}

const MOST_FILES = 10_000;
const MOST_FIELDS = 2_000;
const FIELD_BYTES = 16 * 1024 * 1024;

/**
 * Takes in a `multipart/form-data` body: files go to the store as they come, never through memory as a whole. A file's
 * path is its file name, folders kept. When anything is wrong nothing is held.
 *
 * @throws ServiceError `invalid-input`, `unsupported-media-type` or `too-large`.
 */
export async function receiveUpload(
  body: Readable,
  {
    contentType,
    blobs,
    limits,
  }: { readonly contentType: string; readonly blobs: BlobStore; readonly limits: UploadLimits },
): Promise<{ readonly fields: readonly FormField[]; readonly files: readonly ReceivedFile[] }> {
  const form = openForm(contentType);
  const fields: FormField[] = [];
  const storing: Promise<ReceivedFile>[] = [];
  let bytes = 0;
  const take = (more: number) => {
    bytes += more;
    if (bytes > limits.modelBytes) throw tooLarge(limits);
  };
  const failed = new AbortController();
  const fail = (error: Error) => failed.abort(error);
  form.on("field", (name, value, { valueTruncated, nameTruncated }) => {
    if (valueTruncated || nameTruncated) {
      fail(new ServiceError("too-large", `form field "${name}" is longer than ${FIELD_BYTES} bytes`));
    } else fields.push({ name, value });
  });
  form.on("file", (_, content, { filename }) => {
    content.on("error", () => undefined); // whoever reads it hears of that, which may be later
    // One after the other: a form of many small files arrives faster than they can be written.
    const before = storing.at(-1) ?? Promise.resolve();
    const stored = before.then(() => storeFile(filename, content));
    stored.catch(fail);
    storing.push(stored);
  });
  form.on("filesLimit", () =>
    fail(new ServiceError("too-large", `more than ${MOST_FILES} files in one version`)),
  );
  form.on("fieldsLimit", () => fail(new ServiceError("too-large", `more than ${MOST_FIELDS} form fields`)));

  async function storeFile(filename: string | undefined, content: Readable): Promise<ReceivedFile> {
    try {
      const path = checkFilePath(filename ?? "");
      return { path, ...(await blobs.store(content, take)) };
    } catch (error) {
      content.resume(); // nobody reads it otherwise, and the form would wait for that
      throw error;
    }
  }

  try {
    await feed(body, form, failed.signal);
    const files = await Promise.all(storing);
    checkTogether(files.map(({ path }) => path));
    return { fields, files };
  } catch (error) {
    form.destroy();
    const settled = await Promise.allSettled(storing);
    await blobs.release(settled.flatMap((file) => (file.status === "fulfilled" ? [file.value] : [])));
    throw whyUnreadable(failed.signal.aborted ? failed.signal.reason : error);
  }
}

function openForm(contentType: string): busboy.Busboy {
  try {
    return busboy({
      headers: { "content-type": contentType },
      preservePath: true,
      defParamCharset: "utf8",
      limits: { files: MOST_FILES, fields: MOST_FIELDS, fieldSize: FIELD_BYTES, fieldNameSize: 200 },
    });
  } catch {
    throw new ServiceError(
      "unsupported-media-type",
      `content-type ${contentType === "" ? "(none)" : contentType} is not taken here: send multipart/form-data with its boundary, as curl -F does`,
    );
  }
}

function tooLarge({ modelBytes }: UploadLimits): ServiceError {
  return new ServiceError(
    "too-large",
    `the files are larger than ${modelBytes} bytes together: raise max_model_bytes in the server's configuration`,
  );
}

function whyUnreadable(error: unknown): unknown {
  if (error instanceof ServiceError) return error;
  if (error instanceof Error && "code" in error && error.code === "ENOSPC") {
    return new ServiceError(
      "unavailable",
      "the disk of the data folder is full: nothing of the upload was kept",
      {
        cause: error,
      },
    );
  }
  const message = error instanceof Error ? error.message : String(error);
  if (/Unexpected end|Malformed|premature|aborted/i.test(message)) {
    return new ServiceError("invalid-input", `the upload ended before its end (${message}): send it again`, {
      cause: error,
    });
  }
  return error;
}
