import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ServiceError } from "../schema/errors.ts";

/** A place in the journal: everything up to byte `end` of a segment, and all earlier segments. */
export interface JournalPosition {
  readonly segment: number;
  readonly end: number;
}

interface Segment {
  readonly number: number;
  readonly file: FileHandle;
  /** Everything before it is durable. */
  end: number;
  /** Where the next write goes: behind those under way. */
  next: number;
}

/** A frame found at start. */
export interface JournalEntry {
  readonly bytes: Buffer;
  readonly position: JournalPosition;
}

const MAGIC = Buffer.from("LEEWAYJ1");
const SEED_BYTES = 16;
const HEADER_BYTES = MAGIC.length + SEED_BYTES;
const PREFIX_BYTES = 8;
const SEGMENT_BYTES = 64 * 1024 * 1024;
const SUFFIX = ".journal";
/**
 * Linux makes each write durable by itself when the file is opened so: one way to another thread and back, not two.
 * Elsewhere the flag is missing, or promises less than a sync does.
 */
const NEW_FILE = constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY;
const DURABLE_WRITES = process.platform === "linux" ? constants.O_DSYNC : 0;

/**
 * Frames that are acknowledged and not yet in the tables, in files of their own ("segments"), each with its length and
 * checksum before it. What `append` has returned for is on the disk. Segments are removed once they are in the tables.
 */
export class Journal {
  readonly #folder: string;
  readonly #seed: Buffer;
  #segment: Segment | undefined;
  #nextNumber: number;
  #oldest: number;
  /** Set when a write failed and the end of the file is not what was acknowledged. */
  #tail: "good" | "torn" = "good";
  /** The beginning of the newest write, and its end: it succeeds when it and all before it have. */
  #begun: Promise<unknown> = Promise.resolve();
  #newest: Promise<void> = Promise.resolve();

  private constructor(folder: string, seed: Buffer, nextNumber: number) {
    this.#folder = folder;
    this.#seed = seed;
    this.#nextNumber = nextNumber;
    this.#oldest = nextNumber;
  }

  /** Goes on behind the segments that are there and behind `after`, the largest number ever used. */
  static async open(folder: string, seed: Buffer, after: number): Promise<Journal> {
    if (seed.length !== SEED_BYTES) throw new RangeError(`journal seed of ${seed.length} bytes`);
    const numbers = await segmentNumbers(folder);
    return new Journal(folder, seed, Math.max(after, 0, ...numbers) + 1);
  }

  /**
   * Writes frames behind each other and returns when they, and all that were given before them, are durable: where each
   * of them ends. It may be called again meanwhile.
   * @throws ServiceError `unavailable` when the disk refuses these or earlier ones; none of the frames counts then.
   */
  async append(frames: readonly Buffer[]): Promise<JournalPosition[]> {
    try {
      const begun = this.#begun.catch(() => undefined).then(() => this.#begin(frames));
      this.#begun = begun;
      const { durable, ends } = await begun;
      await durable();
      return ends;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ServiceError(
        "unavailable",
        `nothing can be written to ${this.#folder}: ${reason}. Make room there; nothing acknowledged is lost`,
        { retryAfterSeconds: 5, cause: error },
      );
    }
  }

  /** Removes segments of which nothing is missing in the tables. */
  async removeBefore(segment: number): Promise<void> {
    for (; this.#oldest < segment; this.#oldest++) await remove(this.#folder, this.#oldest);
  }

  /** Lets the file go; removes it when everything is in the tables. */
  async close(contents: "loaded" | "needed"): Promise<void> {
    await this.#settled();
    const segment = this.#segment;
    this.#segment = undefined;
    await segment?.file.close();
    if (segment && contents === "loaded") await this.removeBefore(segment.number + 1);
  }

  async #begin(frames: readonly Buffer[]) {
    const segment = await this.#writable();
    const start = segment.next;
    const ends = frames.map((bytes) => {
      segment.next += PREFIX_BYTES + bytes.length;
      return { segment: segment.number, end: segment.next };
    });
    const end = segment.next;
    const parts = frames.flatMap((bytes) => [prefixOf(bytes), bytes]);
    const written = write(segment.file, parts, start, end - start);
    const newest = this.#settle(segment, end, [this.#newest, written]);
    newest.catch(() => undefined); // told to whoever waits for it
    this.#newest = newest;
    return { durable: () => newest, ends };
  }

  async #settle(segment: Segment, end: number, writes: readonly Promise<void>[]): Promise<void> {
    for (const result of await Promise.allSettled(writes)) {
      if (result.status === "fulfilled") continue;
      this.#tail = "torn"; // what lies behind a gap is never read again, so it fails too
      throw result.reason;
    }
    segment.end = end;
  }

  async #settled(): Promise<void> {
    await this.#newest.catch(() => undefined);
  }

  /** The segment to write to. */
  async #writable(): Promise<Segment> {
    if (this.#segment && (this.#tail === "torn" || this.#segment.next >= SEGMENT_BYTES))
      await this.#settled();
    if (this.#segment && this.#tail === "torn") {
      const { file, end } = this.#segment;
      await file.truncate(end);
      await file.datasync();
      this.#segment.next = end;
      this.#newest = Promise.resolve();
      this.#tail = "good";
    }
    if (this.#segment && this.#segment.next >= SEGMENT_BYTES) {
      await this.#segment.file.close();
      this.#segment = undefined;
    }
    this.#segment ??= await this.#newSegment();
    return this.#segment;
  }

  async #newSegment() {
    await mkdir(this.#folder, { recursive: true });
    const number = this.#nextNumber;
    const file = await open(pathOf(this.#folder, number), NEW_FILE | DURABLE_WRITES);
    try {
      await file.write(Buffer.concat([MAGIC, this.#seed]), 0, HEADER_BYTES, 0);
      await file.datasync();
      await syncFolder(this.#folder);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#nextNumber++;
    this.#tail = "good";
    this.#newest = Promise.resolve();
    return { number, file, end: HEADER_BYTES, next: HEADER_BYTES };
  }
}

async function write(
  file: FileHandle,
  parts: readonly Buffer[],
  start: number,
  length: number,
): Promise<void> {
  const { bytesWritten } = await file.writev(parts, start);
  if (bytesWritten !== length) throw new Error("the disk took a part only");
  if (DURABLE_WRITES === 0) await file.datasync();
}

/** Numbers of the segments in the folder, rising. */
export async function segmentNumbers(folder: string): Promise<number[]> {
  await mkdir(folder, { recursive: true });
  const names = await readdir(folder);
  return names
    .filter((name) => /^\d+\.journal$/.test(name))
    .map((name) => Number(name.slice(0, -SUFFIX.length)))
    .sort((a, b) => a - b);
}

/** The seed a segment was written with; undefined when it is too short to have one, and so holds no frame. */
export async function segmentSeed(folder: string, segment: number): Promise<Buffer | undefined> {
  const file = await open(pathOf(folder, segment), "r");
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const { bytesRead } = await file.read(header, 0, HEADER_BYTES, 0);
    if (bytesRead < HEADER_BYTES) return undefined;
    if (!header.subarray(0, MAGIC.length).equals(MAGIC)) {
      throw new ServiceError("store-damaged", `${pathOf(folder, segment)} is no journal: move it away`);
    }
    return header.subarray(MAGIC.length);
  } finally {
    await file.close();
  }
}

/**
 * The frames of a segment that lie behind byte `from`. It ends where a frame is cut short or its checksum is wrong: a
 * write that a crash interrupted, and that was never acknowledged. `torn` is told how many bytes that leaves.
 */
export async function* readSegment(
  folder: string,
  segment: number,
  from: number,
  torn: (bytes: number) => void,
): AsyncGenerator<JournalEntry> {
  const file = await open(pathOf(folder, segment), "r");
  try {
    const { size } = await file.stat();
    const prefix = Buffer.alloc(PREFIX_BYTES);
    let at = Math.max(from, HEADER_BYTES);
    while (at + PREFIX_BYTES <= size) {
      await file.read(prefix, 0, PREFIX_BYTES, at);
      const length = prefix.readUInt32LE(0);
      if (length === 0 || at + PREFIX_BYTES + length > size) break;
      const bytes = Buffer.allocUnsafe(length);
      await file.read(bytes, 0, length, at + PREFIX_BYTES);
      if (crc32(bytes) !== prefix.readUInt32LE(4)) break;
      at += PREFIX_BYTES + length;
      yield { bytes, position: { segment, end: at } };
    }
    if (at < size) torn(size - at);
  } finally {
    await file.close();
  }
}

/** Removes a segment whose frames are all in the tables. */
export async function removeSegment(folder: string, segment: number): Promise<void> {
  await remove(folder, segment);
}

function prefixOf(bytes: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32LE(bytes.length, 0);
  prefix.writeUInt32LE(crc32(bytes), 4);
  return prefix;
}

function pathOf(folder: string, segment: number): string {
  return join(folder, `${String(segment).padStart(12, "0")}${SUFFIX}`);
}

async function remove(folder: string, segment: number): Promise<void> {
  await unlink(pathOf(folder, segment)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

/** Makes a new file's name durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
