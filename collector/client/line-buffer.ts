const FIRST_BYTES = 16 * 1024;
/** Most bytes of UTF-8 that a UTF-16 unit becomes. */
const BYTES_PER_UNIT = 3;

/**
 * Lines in the bytes that are sent. As texts they would be moved by the garbage collector for as long as they wait, which
 * costs more than writing them down.
 */
export class LineBuffer {
  #held = Buffer.allocUnsafe(0);
  #used = 0;
  #count = 0;

  get bytes(): number {
    return this.#used;
  }

  get count(): number {
    return this.#count;
  }

  add(line: string): void {
    const needed = this.#used + line.length * BYTES_PER_UNIT + 1;
    if (needed > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#held.length, FIRST_BYTES));
      this.#held.copy(larger, 0, 0, this.#used);
      this.#held = larger;
    }
    this.#used += this.#held.write(line, this.#used);
    this.#held[this.#used] = 0x0a;
    this.#used += 1;
    this.#count += 1;
  }

  /** All lines; it holds none afterwards. */
  take(): Buffer {
    const lines = Buffer.from(this.#held.subarray(0, this.#used)); // the buffer stays for the next
    this.#used = 0;
    this.#count = 0;
    return lines;
  }
}
