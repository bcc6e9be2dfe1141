import { gzipSync } from "node:zlib";

/** Records that are sent in one request. */
export interface Batch {
  readonly body: Uint8Array;
  readonly encoding: "gzip" | "identity";
  readonly records: number;
  /** When the first of its calls came. */
  readonly timeMs: number;
}

/** A collector takes as many bytes inflated without asking how dense they were. */
const MOST_BYTES = 512 * 1024;
/** Beyond it the collector suspects a bomb, when the body is long. */
const DENSEST = 100;
/** A window of a few records finds what there is to find, and stays in the processor's cache. */
const GZIP = { level: 1, windowBits: 12, memLevel: 9, chunkSize: 256 * 1024 } as const;
/** Room for a batch and the record that completes it. */
const ROOM_BYTES = MOST_BYTES + MOST_BYTES / 4;
const MOST_UTF8_BYTES = 3;
const LINE_END = 0x0a;

/** Gathers records, one JSON text each, until there are enough for a request. */
export class BatchBuilder {
  #text = Buffer.allocUnsafeSlow(ROOM_BYTES);
  #bytes = 0;
  #records = 0;
  #timeMs = 0;

  get records(): number {
    return this.#records;
  }

  get timeMs(): number {
    return this.#timeMs;
  }

  /**
   * @param record - JSON text, or the parts of one; bytes are UTF-8, without line ends.
   * @returns The batch that the record completes.
   */
  add(record: string | readonly (string | Uint8Array)[], timeMs: number): Batch | undefined {
    if (this.#records === 0) this.#timeMs = timeMs;
    let at = this.#bytes;
    for (const part of typeof record === "string" ? [record] : record) {
      if (typeof part === "string") {
        this.#makeRoom(at, part.length * MOST_UTF8_BYTES);
        at += this.#text.write(part, at);
      } else {
        this.#makeRoom(at, part.length);
        this.#text.set(part, at);
        at += part.length;
      }
    }
    this.#makeRoom(at, 1);
    this.#text[at++] = LINE_END;
    this.#bytes = at;
    this.#records += 1;
    return at >= MOST_BYTES ? this.take() : undefined;
  }

  /** What was gathered so far; undefined when there is nothing. */
  take(): Batch | undefined {
    const records = this.#records;
    if (records === 0) return undefined;
    const text = this.#text.subarray(0, this.#bytes);
    const timeMs = this.#timeMs;
    const packed = gzipSync(text, GZIP);
    const isDense = isTooDense(text, packed);
    const body = Buffer.from(isDense ? text : packed); // a copy holds no more memory than it says
    this.#bytes = 0;
    this.#records = 0;
    if (this.#text.length > 2 * ROOM_BYTES) this.#text = Buffer.allocUnsafeSlow(ROOM_BYTES);
    return { body, encoding: isDense ? "identity" : "gzip", records, timeMs };
  }

  #makeRoom(at: number, bytes: number): void {
    const needed = at + bytes;
    if (needed <= this.#text.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#text.length * 2));
    this.#text.copy(larger, 0, 0, at);
    this.#text = larger;
  }
}

/** Whether a compressed body would be taken for a bomb, and so has to go as it is. */
export function isTooDense(plain: Uint8Array, packed: Uint8Array): boolean {
  return plain.length > packed.length * DENSEST;
}
