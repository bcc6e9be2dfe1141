/** Below this new memory is cheap, above the largest it is rare. */
const LEAST_BYTES = 16 * 1024;
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Memory that is used again: new buffers for every request and every frame would keep the garbage collector busy, which
 * counts what they hold. What lies in one is nobody's once it is given back.
 */
export class SpareMemory {
  readonly #mostKeptBytes: number;
  readonly #spare: Buffer[] = [];
  #keptBytes = 0;
  constructor(mostKeptBytes: number) {
    this.#mostKeptBytes = mostKeptBytes;
  }

  /** So many bytes, whatever lies in them. */
  take(bytes: number): Buffer {
    if (bytes < LEAST_BYTES || bytes > MOST_BYTES) return Buffer.allocUnsafe(bytes);
    const fitting = this.#spare.findIndex(({ length }) => length >= bytes && length < bytes * 4);
    const [found] = fitting === -1 ? [] : this.#spare.splice(fitting, 1);
    if (found) this.#keptBytes -= found.length;
    return (found ?? Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(bytes)))).subarray(0, bytes);
  }

  /** Gives back what `take` returned. */
  give(memory: Buffer): void {
    const { buffer } = memory;
    if (memory.byteOffset !== 0 || buffer.byteLength < LEAST_BYTES || buffer.byteLength > MOST_BYTES) return;
    if (this.#keptBytes + buffer.byteLength > this.#mostKeptBytes) return;
    this.#spare.push(Buffer.from(buffer));
    this.#keptBytes += buffer.byteLength;
  }
}
