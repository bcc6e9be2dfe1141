import { createHash } from "node:crypto";
import { constants, createReadStream, createWriteStream, rmSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { uuidv7 } from "uuidv7";
import { feed } from "./body-of.ts";

/** Content that is stored, by what is in it. */
export interface Blob {
  readonly sha256: string;
  readonly bytes: number;
}

/** From the first of these to before the second. */
export interface BytesOfBlob {
  readonly from: number;
  readonly to: number;
}

/** Says which of the hashes something refers to. */
export type UsedOf = (hashes: readonly string[]) => Promise<ReadonlySet<string>>;

const READ_ONLY = 0o400;
const OWNER_ONLY = 0o700;

/**
 * Files by the SHA-256 of their content, so that the same content is there once and nobody mistakes it for another.
 *
 * A file is written beside, synced, and moved to its name. From before that until whoever stores it says `release`, a
 * note on disk says that it is not (or no longer) sure to be needed: after a crash `clean` looks at the notes, and at
 * nothing else, to find what nobody refers to.
 */
export class BlobStore {
  readonly #folder: string;
  readonly #usedOf: UsedOf;
  /** How many have notes on a hash. */
  readonly #held = new Map<string, number>();
  /** Content that was found damaged, by its hash. */
  readonly #damaged = new Set<string>();
  #lastRelease: Promise<unknown> = Promise.resolve();

  constructor({ folder, usedOf }: { readonly folder: string; readonly usedOf: UsedOf }) {
    this.#folder = folder;
    this.#usedOf = usedOf;
  }

  /** Makes the folders and takes away what an earlier process has left half done. Nothing may be stored before. */
  async clean(): Promise<{ readonly removed: number }> {
    await rm(this.#uploads, { recursive: true, force: true });
    for (const folder of [this.#uploads, this.#notes, join(this.#folder, "blobs")]) {
      await mkdir(folder, { recursive: true, mode: OWNER_ONLY });
    }
    const notes = await readdir(this.#notes);
    const hashes = [...new Set(notes.map(hashOfNote))];
    const used = await this.#usedOf(hashes);
    const unused = hashes.filter((hash) => !used.has(hash));
    for (const hash of unused) await rm(this.path(hash), { force: true });
    for (const note of notes) await rm(join(this.#notes, note), { force: true });
    return { removed: unused.length };
  }

  /** Where the content of this hash is, if it is there. */
  path(sha256: string): string {
    return join(this.#folder, "blobs", sha256.slice(0, 2), sha256);
  }

  /**
   * Stores what comes, durably. The caller holds it until `release`: call that once something refers to it, or won't.
   *
   * @param take - What the bytes go through first, such as a limit; when it fails nothing is stored.
   */
  async store(content: Readable, take: (bytes: number) => void = () => undefined): Promise<Held> {
    const temporary = join(this.#uploads, uuidv7());
    const hash = createHash("sha256");
    let bytes = 0;
    const measured = new Transform({
      transform(part: Buffer, _, done) {
        try {
          bytes += part.length;
          take(part.length);
          hash.update(part);
          done(null, part);
        } catch (error) {
          done(error as Error);
        }
      },
    });
    try {
      const written = pipeline(
        measured,
        createWriteStream(temporary, { mode: READ_ONLY, flags: "wx", flush: true }),
      );
      const fed = feed(content, measured).catch((error: unknown) => {
        measured.destroy();
        throw error;
      });
      for (const end of await Promise.allSettled([fed, written]))
        if (end.status === "rejected") throw end.reason;
      return await this.#keep(temporary, { sha256: hash.digest("hex"), bytes });
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Holds content that is stored already, so that it is not taken away; `release` it as well. */
  async hold({ sha256, bytes }: Blob): Promise<Held> {
    this.#held.set(sha256, (this.#held.get(sha256) ?? 0) + 1);
    const note = join(this.#notes, `${sha256}~${uuidv7()}`);
    await writeFile(note, "");
    return { sha256, bytes, note };
  }

  /** Lets go of what was held, and takes away what nobody holds or refers to. */
  release(held: readonly Held[]): Promise<void> {
    // One after the other: whoever refers to content still holds it while another one looks whether anything does.
    const turn = this.#lastRelease.then(() => this.#release(held));
    this.#lastRelease = turn.catch(() => undefined);
    return turn;
  }

  async #release(held: readonly Held[]): Promise<void> {
    for (const { sha256 } of held) {
      const others = (this.#held.get(sha256) ?? 1) - 1;
      if (others === 0) this.#held.delete(sha256);
      else this.#held.set(sha256, others);
    }
    const used = await this.#usedOf(held.map(({ sha256 }) => sha256));
    for (const { sha256, note } of held) {
      // At once: whoever stores the same content from now on holds it first, and puts it there after this.
      if (!used.has(sha256) && !this.#held.has(sha256)) rmSync(this.path(sha256), { force: true });
      await rm(note, { force: true });
    }
  }

  /** The content, checked while it is read: a stream that ends well has given what the hash promises. */
  read({ sha256, bytes }: Blob): Readable {
    const hash = createHash("sha256");
    let read = 0;
    let last: Buffer | undefined;
    const damaged = () => {
      this.#damaged.add(sha256);
      return new Error(`the stored content of ${sha256} is damaged`);
    };
    const checked = new Transform({
      // The last part is kept back until the whole is known to be right.
      transform(part: Buffer, _, done) {
        hash.update(part);
        read += part.length;
        const before = last;
        last = part;
        if (read > bytes) done(damaged());
        else done(null, before);
      },
      flush(done) {
        if (hash.digest("hex") === sha256) done(null, last);
        else done(damaged());
      },
    });
    const source = createReadStream(this.path(sha256));
    source.on("error", (error) => {
      this.#damaged.add(sha256);
      checked.destroy(error);
    });
    checked.on("close", () => source.destroy());
    return source.pipe(checked);
  }

  /** Whether the content is what its hash says, as far as is known: what was found damaged is read again. */
  async isSound(blob: Blob): Promise<boolean> {
    if (!this.#damaged.has(blob.sha256)) return true;
    try {
      for await (const _ of this.read(blob)); // to its end
    } catch {
      return false;
    }
    this.#damaged.delete(blob.sha256);
    return true;
  }

  /** Bytes of the content, as they lie there: a part cannot be checked against the hash. */
  readPart({ sha256 }: Blob, { from, to }: BytesOfBlob): Readable {
    return createReadStream(this.path(sha256), { start: from, end: to - 1 });
  }

  async #keep(temporary: string, blob: Blob): Promise<Held> {
    const held = await this.hold(blob);
    try {
      const target = this.path(blob.sha256);
      const folder = join(target, "..");
      await mkdir(folder, { recursive: true, mode: OWNER_ONLY });
      await rename(temporary, target); // over the same content, if it is there: should that be damaged, it no longer is
      await syncFolder(folder);
      return held;
    } catch (error) {
      await this.release([held]);
      throw error;
    }
  }

  get #uploads(): string {
    return join(this.#folder, "uploads");
  }

  get #notes(): string {
    return join(this.#folder, "notes");
  }
}

/** Content and the note that says that somebody is at it. */
export interface Held extends Blob {
  readonly note: string;
}

function hashOfNote(note: string): string {
  return basename(note).split("~")[0] ?? "";
}

/** A new name in a folder is only sure to be there after a power failure when the folder itself was synced. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
