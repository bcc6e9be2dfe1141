const PARTITIONS = 64;
const SMALLEST = 16;
const GROWTH = 1.25;
const FULLEST = 0.8;

/**
 * The keys of all records of a model (96 bits each), and per key up to two words of value.
 *
 * Open addressing with linear probing, in 64 parts that grow one at a time and at different moments, so that growing
 * never copies more than a sixty-fourth and the memory follows the number of keys closely: about 16 bytes per key
 * without a value. A slot's place is its first word scaled to the capacity, so a part is grown by one pass in order.
 */
export class KeyIndex {
  readonly #valueWords: number;
  readonly #parts: Part[];
  size = 0;

  constructor(options: { readonly valueWords?: 0 | 2; readonly expected?: number } = {}) {
    this.#valueWords = options.valueWords ?? 0;
    const each = (options.expected ?? 0) / PARTITIONS / FULLEST;
    this.#parts = Array.from({ length: PARTITIONS }, (_, part) => {
      const stagger = GROWTH ** (part / PARTITIONS); // or all of them would grow at once
      const capacity = Math.max(each * 1.02, SMALLEST * 1.05) * stagger;
      return new Part(Math.ceil(capacity), 3 + this.#valueWords);
    });
  }

  /** Adds a key. @returns `known` when it was there already. */
  add(a: number, b: number, c: number): "added" | "known" {
    const part = this.#partOf(c);
    const slot = part.find(a, b, c);
    if (part.taken(slot)) return "known";
    this.#insert(part, slot, a, b, c);
    return "added";
  }

  /** Makes room for so many further keys. */
  expect(keys: number): void {
    const each = (this.size + keys) / PARTITIONS / FULLEST;
    for (const part of this.#parts) {
      // By a quarter at least, so that expecting again and again does not copy everything each time.
      if (part.capacity < each) part.grow(Math.ceil(Math.max(each * 1.02, part.capacity * GROWTH)) + 1);
    }
  }

  has(a: number, b: number, c: number): boolean {
    const part = this.#partOf(c);
    return part.taken(part.find(a, b, c));
  }

  /** Sets the value of a key. @returns `same` when it had that value already. */
  put(a: number, b: number, c: number, value: readonly [number, number]): "changed" | "same" {
    const part = this.#partOf(c);
    let slot = part.find(a, b, c);
    const { words, width } = part;
    const known = part.taken(slot);
    if (known && words[slot * width + 3] === value[0] >>> 0 && words[slot * width + 4] === value[1] >>> 0) {
      return "same";
    }
    if (!known) slot = this.#insert(part, slot, a, b, c);
    part.words[slot * width + 3] = value[0];
    part.words[slot * width + 4] = value[1];
    return "changed";
  }

  /** Takes a key out again, for a record that could not be made durable. */
  remove(a: number, b: number, c: number): void {
    const part = this.#partOf(c);
    const slot = part.find(a, b, c);
    if (!part.taken(slot)) return;
    part.remove(slot);
    this.size--;
  }

  #partOf(c: number): Part {
    return this.#parts[c & (PARTITIONS - 1)] as Part; // PARTITIONS of them
  }

  #insert(part: Part, slot: number, a: number, b: number, c: number): number {
    let place = slot;
    if (part.used + 1 > part.capacity * FULLEST) {
      part.grow();
      place = part.find(a, b, c);
    }
    part.write(place, a, b, c);
    this.size++;
    return place;
  }
}

/** One of the parts: `width` words per slot, three of them the key; all three zero is an empty slot. */
class Part {
  readonly width: number;
  words: Uint32Array;
  capacity: number;
  used = 0;

  constructor(capacity: number, width: number) {
    this.width = width;
    this.capacity = capacity;
    this.words = new Uint32Array(capacity * width);
  }

  /** The slot of the key, or the empty one where it would go. */
  find(a: number, b: number, c: number): number {
    const { words, width, capacity } = this;
    const first = a >>> 0;
    const second = b >>> 0;
    const third = filled(c);
    let slot = this.#home(first);
    for (;;) {
      const at = slot * width;
      const word = words[at + 2] as number;
      if (word === 0) return slot;
      if (word === third && words[at] === first && words[at + 1] === second) return slot;
      if (++slot === capacity) slot = 0;
    }
  }

  taken(slot: number): boolean {
    return this.words[slot * this.width + 2] !== 0;
  }

  write(slot: number, a: number, b: number, c: number): void {
    const at = slot * this.width;
    this.words[at] = a;
    this.words[at + 1] = b;
    this.words[at + 2] = filled(c);
    this.used++;
  }

  /** Empties a slot and moves up what had been pushed behind it. */
  remove(slot: number): void {
    const { words, width, capacity } = this;
    let hole = slot;
    let next = slot;
    for (;;) {
      if (++next === capacity) next = 0;
      if (!this.taken(next)) break;
      const home = this.#home(words[next * width] as number);
      const distance = (next - home + capacity) % capacity;
      const toHole = (next - hole + capacity) % capacity;
      if (distance >= toHole) {
        words.copyWithin(hole * width, next * width, (next + 1) * width);
        hole = next;
      }
    }
    words.fill(0, hole * width, (hole + 1) * width);
    this.used--;
  }

  grow(capacityAfter = Math.ceil(this.capacity * GROWTH) + 1): void {
    const { words, width, capacity } = this;
    this.capacity = capacityAfter;
    this.words = new Uint32Array(this.capacity * width);
    for (let at = 0; at < capacity * width; at += width) {
      if (words[at + 2] === 0) continue;
      const slot = this.find(words[at] as number, words[at + 1] as number, words[at + 2] as number);
      for (let i = 0; i < width; i++) this.words[slot * width + i] = words[at + i] as number;
    }
  }

  #home(first: number): number {
    return Math.floor((first / 4294967296) * this.capacity);
  }
}

/** The third word marks a slot as taken, so it is never zero. */
function filled(c: number): number {
  return c === 0 ? 1 : c >>> 0;
}
