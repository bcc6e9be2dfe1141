import type { Readable } from "node:stream";
import { ServiceError } from "../../schema/errors.ts";
import type { BlobStore, Held } from "../blob-store.ts";
import { checkFilePath } from "../file-path.ts";
import type { ReceivedFile } from "../receive-upload.ts";

const KEPT_MS = 24 * 3_600_000;

interface Pending extends Held {
  readonly sinceMs: number;
}

/** Files that an MLflow client has sent ahead of the version they belong to. They are kept for a day, or until a restart. */
export class PendingArtifacts {
  readonly #blobs: BlobStore;
  readonly #mostBytes: number;
  readonly #now: () => Date;
  readonly #files = new Map<string, Pending>();

  constructor({
    blobs,
    mostBytes,
    now,
  }: { readonly blobs: BlobStore; readonly mostBytes: number; readonly now: () => Date }) {
    this.#blobs = blobs;
    this.#mostBytes = mostBytes;
    this.#now = now;
  }

  /** Takes in a file; one that was sent to the same path before gives way. */
  async put(path: string, content: Readable): Promise<void> {
    checkFilePath(path);
    await this.#forgetOld();
    let bytes = [...this.#files.values()].reduce((sum, file) => sum + file.bytes, 0);
    const held = await this.#blobs.store(content, (more) => {
      bytes += more;
      if (bytes <= this.#mostBytes) return;
      throw new ServiceError(
        "too-large",
        `the files that wait for their version are larger than ${this.#mostBytes} bytes together: raise max_model_bytes in the server's configuration`,
      );
    });
    const before = this.#files.get(path);
    this.#files.set(path, { ...held, sinceMs: this.#now().getTime() });
    if (before) await this.#blobs.release([before]);
  }

  /** Hands over the files of a folder, by their paths within it. They no longer wait. */
  take(folder: string): ReceivedFile[] {
    const prefix = `${folder.replace(/\/+$/, "")}/`;
    const found = [...this.#files].filter(([path]) => path.startsWith(prefix));
    for (const [path] of found) this.#files.delete(path);
    return found.map(([path, { sha256, bytes, note }]) => ({
      path: path.slice(prefix.length),
      sha256,
      bytes,
      note,
    }));
  }

  /** Paths and lengths of what waits. */
  list(): { readonly path: string; readonly bytes: number }[] {
    return [...this.#files].map(([path, { bytes }]) => ({ path, bytes }));
  }

  async #forgetOld(): Promise<void> {
    const oldest = this.#now().getTime() - KEPT_MS;
    const old = [...this.#files].filter(([, { sinceMs }]) => sinceMs < oldest);
    for (const [path] of old) this.#files.delete(path);
    await this.#blobs.release(old.map(([, file]) => file));
  }
}
