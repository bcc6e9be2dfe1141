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
const LEVEL = 1;

/** Gathers records, one JSON text each, until there are enough for a request. */
export class BatchBuilder {
  #lines: string[] = [];
  #length = 0;
  #timeMs = 0;

  get records(): number {
    return this.#lines.length;
  }

  get timeMs(): number {
    return this.#timeMs;
  }

  /** @returns The batch that the record completes. */
  add(record: string, timeMs: number): Batch | undefined {
    if (this.#lines.length === 0) this.#timeMs = timeMs;
    this.#lines.push(record);
    this.#length += record.length + 1;
    return this.#length >= MOST_BYTES ? this.take() : undefined;
  }

  /** What was gathered so far; undefined when there is nothing. */
  take(): Batch | undefined {
    const records = this.#lines.length;
    if (records === 0) return undefined;
    const text = Buffer.from(`${this.#lines.join("\n")}\n`);
    const { timeMs } = this;
    this.#lines = [];
    this.#length = 0;
    const packed = gzipSync(text, { level: LEVEL });
    if (text.length > packed.length * DENSEST) return { body: text, encoding: "identity", records, timeMs };
    return { body: packed, encoding: "gzip", records, timeMs };
  }
}
