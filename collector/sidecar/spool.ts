import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Batch } from "./batch.ts";

/** A batch on disk: its file holds the body of the request that will be made of it, and its name all else. */
export interface Segment {
  readonly file: string;
  readonly bytes: number;
  readonly records: number;
  readonly timeMs: number;
  readonly encoding: Batch["encoding"];
}

/** `0019a1…-3-ab12cd34-120.ndjson.gz`: time of the first call, order, process, records. */
const NAME = /^([0-9a-f]{12})-([0-9a-f]{8})-[0-9a-f]{8}-(\d+)\.ndjson(\.gz)?$/;

/**
 * Batches that wait on disk, oldest first. A file is there whole or not at all, and names are never used twice, so what
 * a killed process left is sent by the next one as it is: its ids were settled at capture, a repeat is a duplicate.
 */
export class Spool {
  readonly #folder: string;
  readonly #limit: number;
  readonly #process = randomBytes(4).toString("hex");
  #order = 0;
  #segments: Segment[];
  #bytes: number;
  #records: number;

  private constructor(folder: string, limit: number, segments: Segment[]) {
    this.#folder = folder;
    this.#limit = limit;
    this.#segments = segments;
    this.#bytes = segments.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#records = segments.reduce((sum, { records }) => sum + records, 0);
  }

  /** Opens the folder, and finds what an earlier process left there. */
  static open(folder: string, limitBytes: number): Spool {
    mkdirSync(folder, { recursive: true });
    const segments = readdirSync(folder).flatMap((name) => {
      const file = join(folder, name);
      if (name.endsWith(".partial")) rmSync(file, { force: true }); // written when its process was killed
      const [, time, , records, gz] = NAME.exec(name) ?? [];
      if (time === undefined) return [];
      const bytes = bytesOf(file);
      if (bytes === undefined) return [];
      return [
        {
          file,
          bytes,
          records: Number(records),
          timeMs: Number.parseInt(time, 16),
          encoding: gz ? "gzip" : "identity",
        } as const,
      ];
    });
    segments.sort((a, b) => (a.file < b.file ? -1 : 1));
    return new Spool(folder, limitBytes, segments);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get records(): number {
    return this.#records;
  }

  /** When the first call came that waits here. */
  get oldestMs(): number | undefined {
    return this.#segments[0]?.timeMs;
  }

  /** Writes a batch; what is there already stays when there is no room for it. */
  write(batch: Batch): "written" | "full" | "failed" {
    if (this.#bytes + batch.body.length > this.#limit) return "full";
    const time = Math.max(0, Math.round(batch.timeMs)).toString(16).padStart(12, "0");
    const order = (this.#order++).toString(16).padStart(8, "0");
    const name = `${time}-${order}-${this.#process}-${batch.records}.ndjson${batch.encoding === "gzip" ? ".gz" : ""}`;
    const file = join(this.#folder, name);
    try {
      writeWhole(file, batch.body);
    } catch {
      return "failed";
    }
    const { encoding, records, timeMs } = batch;
    this.#segments.push({ file, bytes: batch.body.length, records, timeMs, encoding });
    this.#bytes += batch.body.length;
    this.#records += records;
    return "written";
  }

  /** Takes the oldest batch; `putBack` or `remove` settles what becomes of it. */
  take(): Segment | undefined {
    return this.#segments.shift();
  }

  putBack(segment: Segment): void {
    this.#segments.unshift(segment);
  }

  /** The body; `gone` when there is no such file, because another process sent it, and `unreadable` when it may be read later. */
  read(segment: Segment): Uint8Array | "gone" | "unreadable" {
    try {
      return readFileSync(segment.file);
    } catch (error) {
      return isGone(error) ? "gone" : "unreadable"; // there may be no file descriptor left, or no memory
    }
  }

  remove(segment: Segment): void {
    try {
      rmSync(segment.file, { force: true });
    } catch {
      // It stays for the next process, and what it holds will be duplicates.
    }
    this.#bytes -= segment.bytes;
    this.#records -= segment.records;
  }
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

/** Length of a file; undefined when it is gone by now. */
function bytesOf(file: string): number | undefined {
  try {
    return statSync(file).size;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** A new name is on the disk only when its folder is. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writeWhole(file: string, body: Uint8Array): void {
  const partial = `${file}.partial`;
  try {
    const descriptor = openSync(partial, "wx");
    try {
      for (let at = 0; at < body.length; ) at += writeSync(descriptor, body, at);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(partial, file);
    syncFolder(dirname(file));
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}
