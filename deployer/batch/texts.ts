/** Of labels there are few: to compare with each costs less than to hash one that the runtime has just made. */
const FEW = 8;

/** A column of texts as numbers of different ones, so that those that the runtime has made need not be kept. */
export class Texts {
  readonly #numbers: Uint32Array;
  readonly #texts: string[] = [];
  readonly #bytes: Uint8Array[] = [];
  readonly #more = new Map<string, number>();

  constructor(rows: number) {
    this.#numbers = new Uint32Array(rows);
  }

  set(row: number, text: string): void {
    this.#numbers[row] = this.#numberOf(text);
  }

  /** The texts of rows `[from, to)`, each with its length before it. */
  bytes(from: number, to: number): Uint8Array {
    const numbers = this.#numbers.subarray(from, to);
    let length = 0;
    for (const number of numbers) length += (this.#bytes[number] as Uint8Array).length; // each has its number
    const all = new Uint8Array(length);
    let at = 0;
    for (const number of numbers) {
      const one = this.#bytes[number] as Uint8Array;
      if (one.length > 64) all.set(one, at);
      else for (let i = 0; i < one.length; i++) all[at + i] = one[i] as number;
      at += one.length;
    }
    return all;
  }

  #numberOf(text: string): number {
    const few = Math.min(this.#texts.length, FEW);
    for (let number = 0; number < few; number++) if (this.#texts[number] === text) return number;
    const known = this.#more.get(text);
    if (known !== undefined) return known;
    const number = this.#texts.push(text) - 1;
    this.#bytes.push(withLength(Buffer.from(text)));
    if (number >= FEW) this.#more.set(text, number);
    return number;
  }
}

function withLength(utf8: Buffer): Uint8Array {
  const written = Buffer.alloc(4 + utf8.length);
  written.writeUInt32LE(utf8.length);
  written.set(utf8, 4);
  return written;
}
