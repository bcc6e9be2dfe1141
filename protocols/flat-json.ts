/**
 * Finds the JSON texts that can be recorded as they are: one object of scalars whose values need no second look.
 *
 * To parse a number and write it again costs ten times as much as to see that it is one. What is found here is what
 * `decodeExchange` would make of the same text as request or answer of a single instance of no named protocol, number for
 * number and text for text; for anything else the answer is no, whether or not it is JSON.
 */
export class FlatJson {
  /** Bounds of the object found last, braces included. */
  from = 0;
  to = 0;
  /** Whether it holds bytes beyond ASCII, which are to be checked for being UTF-8. */
  script: "ascii" | "beyond" = "ascii";
  readonly #special: ReadonlySet<string>;
  readonly #keys = new Map<string, Key>();
  #first: Key | undefined;
  #stamp = 0;
  #bytes: Uint8Array = new Uint8Array();
  #end = 0;

  /** @param special - Keys that mean something else than a value of that name. */
  constructor(special: readonly string[]) {
    this.#special = new Set(special);
  }

  /**
   * Whether the bytes are such a text; `from`, `to` and `script` then tell where and in what it is written.
   *
   * @param bytes - At most 64 KiB: no text in it is then too long to be recorded.
   */
  find(bytes: Uint8Array): boolean {
    if (bytes.length > MOST_BYTES) return false;
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.script = "ascii";
    const at = this.#object(this.#blank(0));
    if (at === NOT) return false;
    this.to = at;
    for (let after = at; after < bytes.length; after++) if (!isSpace(bytes[after])) return false;
    return true;
  }

  #object(start: number): number {
    const bytes = this.#bytes;
    if (bytes[start] !== OPEN_BRACE) return NOT;
    this.from = start;
    const stamp = ++this.#stamp;
    let key: Key | undefined;
    let at = start + 1;
    for (;;) {
      at = this.#blank(at);
      key = this.#key(at, key);
      if (!key || key.stamp === stamp) return NOT; // given twice, the last one counts
      key.stamp = stamp;
      if (key.script === "beyond") this.script = "beyond";
      at = this.#blank(at + key.bytes.length);
      if (bytes[at] !== COLON) return NOT;
      at = this.#value(this.#blank(at + 1));
      if (at === NOT) return NOT;
      at = this.#blank(at);
      const mark = bytes[at++];
      if (mark === CLOSE_BRACE) return at;
      if (mark !== COMMA) return NOT;
    }
  }

  /** The key at hand: most objects have the same keys in the same order, so the one after the last is looked at first. */
  #key(at: number, previous: Key | undefined): Key | undefined {
    const expected = previous === undefined ? this.#first : previous.next;
    if (expected && this.#holds(at, expected.bytes)) return expected;
    const found = this.#lookUp(at);
    if (previous === undefined) this.#first = found ?? this.#first;
    else if (found) previous.next = found;
    return found;
  }

  #holds(at: number, key: Uint8Array): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false;
    return true;
  }

  #lookUp(at: number): Key | undefined {
    const bytes = this.#bytes;
    if (bytes[at] !== QUOTE) return undefined;
    let name = "";
    let script: Key["script"] = "ascii";
    for (let i = at + 1; bytes[i] !== QUOTE; i++) {
      const byte = bytes[i];
      if (byte === undefined || byte < 0x20 || byte === BACKSLASH || i - at > LONGEST_NAME) return undefined;
      if (byte > 0x7f) script = "beyond";
      name += String.fromCharCode(byte); // of what is beyond ASCII the bytes: all that is asked is whether it is the same
    }
    const known = this.#keys.get(name);
    if (known || name === "" || this.#special.has(name) || this.#keys.size >= MOST_KEYS) return known;
    // Copied: `slice` of a Buffer would be a view of memory that is used again.
    const key: Key = {
      bytes: new Uint8Array(bytes.subarray(at, at + name.length + 2)),
      script,
      stamp: 0,
      next: undefined,
    };
    this.#keys.set(name, key);
    return key;
  }

  /** Where the value ends that begins there; NOT when it is none, or one that needs a second look. */
  #value(at: number): number {
    const first = this.#bytes[at];
    if (first === QUOTE) return this.#text(at + 1);
    if (first === 0x74) return this.#holds(at, TRUE) ? at + 4 : NOT;
    if (first === 0x66) return this.#holds(at, FALSE) ? at + 5 : NOT;
    if (first === 0x6e) return this.#holds(at, NULL) ? at + 4 : NOT;
    return this.#number(at);
  }

  #text(from: number): number {
    const bytes = this.#bytes;
    for (let at = from; at < this.#end; at++) {
      const kind = KINDS[bytes[at] as number]; // within bounds
      if (kind === PLAIN) continue;
      if (kind === ENDS) return at + 1;
      if (kind === BEYOND) this.script = "beyond";
      else return NOT; // an escape, or a control character
    }
    return NOT;
  }

  /** A number that is the same after it was read and written: no whole one beyond 2^53, none beyond the range. */
  #number(from: number): number {
    const bytes = this.#bytes;
    let at = bytes[from] === MINUS ? from + 1 : from;
    const whole = at;
    at = this.#digits(at);
    if (at === whole || at - whole > LONGEST_SAFE_DIGITS || (bytes[whole] === ZERO && at - whole > 1))
      return NOT;
    if (bytes[at] === POINT) {
      const fraction = at + 1;
      at = this.#digits(fraction);
      if (at === fraction || at - fraction > LONGEST_FRACTION) return NOT;
    }
    const mark = bytes[at];
    if (mark !== 0x65 && mark !== 0x45) return at;
    const sign = bytes[at + 1];
    const exponent = sign === MINUS || sign === 0x2b ? at + 2 : at + 1;
    at = this.#digits(exponent);
    return at === exponent || at - exponent > 2 ? NOT : at;
  }

  #digits(from: number): number {
    const bytes = this.#bytes;
    let at = from;
    while (at < this.#end && ((bytes[at] as number) ^ ZERO) < 10) at++;
    return at;
  }

  /** Past blanks; a line end would end the record. */
  #blank(from: number): number {
    const bytes = this.#bytes;
    let at = from;
    while (bytes[at] === 0x20 || bytes[at] === 0x09) at++;
    return at;
  }
}

interface Key {
  /** With its quotes. */
  readonly bytes: Uint8Array;
  readonly script: FlatJson["script"];
  /** Number of the text that had it last. */
  stamp: number;
  /** The key that followed it last. */
  next: Key | undefined;
}

const MOST_BYTES = 65_536;
const MOST_KEYS = 4_096;
const LONGEST_NAME = 256;
const LONGEST_SAFE_DIGITS = 15;
const LONGEST_FRACTION = 30;
const NOT = -1;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const TRUE = Uint8Array.from([0x74, 0x72, 0x75, 0x65]);
const FALSE = Uint8Array.from([0x66, 0x61, 0x6c, 0x73, 0x65]);
const NULL = Uint8Array.from([0x6e, 0x75, 0x6c, 0x6c]);

const PLAIN = 0;
const ENDS = 1;
const BEYOND = 2;
const OTHER = 3;
/** What a byte is within a text. */
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === QUOTE) return ENDS;
  if (byte < 0x20 || byte === BACKSLASH) return OTHER;
  return byte < 0x80 ? PLAIN : BEYOND;
});

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
