import { Readable } from "node:stream";

/** A file that goes into an archive. */
export interface TarEntry {
  readonly path: string;
  readonly bytes: number;
  readonly open: () => Readable;
}

const BLOCK = 512;
const LONGEST_NAME = 100;
/** Most that the eleven octal digits of a header hold. */
const LARGEST_PLAIN = 8 ** 11 - 1;

/** The files as a tar archive (POSIX.1-2001), made while it is read. */
export function tar(entries: readonly TarEntry[], modifiedAt: Date): Readable {
  const seconds = Math.floor(modifiedAt.getTime() / 1_000);
  async function* parts(): AsyncGenerator<Buffer> {
    for (const { path, bytes, open } of entries) {
      const extended = extendedRecords(path, bytes);
      if (extended.length > 0) {
        yield header({ name: "PaxHeader", bytes: extended.length, seconds, kind: "x" });
        yield padded(extended);
      }
      yield header({ name: path, bytes, seconds, kind: "0" });
      for await (const part of open()) yield part as Buffer;
      yield Buffer.alloc(padding(bytes));
    }
    yield Buffer.alloc(2 * BLOCK);
  }
  return Readable.from(parts());
}

/** Length of the archive in bytes. */
export function tarBytes(entries: readonly TarEntry[]): number {
  const whole = (bytes: number) => bytes + padding(bytes);
  return entries.reduce((sum, { path, bytes }) => {
    const extended = extendedRecords(path, bytes).length;
    return sum + (extended > 0 ? BLOCK + whole(extended) : 0) + BLOCK + whole(bytes);
  }, 2 * BLOCK);
}

function header({
  name,
  bytes,
  seconds,
  kind,
}: {
  readonly name: string;
  readonly bytes: number;
  readonly seconds: number;
  readonly kind: "0" | "x";
}): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0").slice(-digits);
  Buffer.from(name).copy(block, 0, 0, LONGEST_NAME);
  block.write(octal(0o644, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(Math.min(bytes, LARGEST_PLAIN), 11), 124);
  block.write(octal(seconds, 11), 136);
  block.write(" ".repeat(8), 148);
  block.write(kind, 156);
  block.write("ustar\u000000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

/** What does not fit into a plain header, as records `LENGTH key=value\n` whose length counts itself. */
function extendedRecords(path: string, bytes: number): Buffer {
  const plain = Buffer.byteLength(path) <= LONGEST_NAME && /^[\x20-\x7e]*$/.test(path);
  return Buffer.from(
    (plain ? "" : record("path", path)) + (bytes > LARGEST_PLAIN ? record("size", String(bytes)) : ""),
  );
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bare = Buffer.byteLength(rest);
  let length = bare + String(bare).length;
  if (bare + String(length).length > length) length++;
  return `${length}${rest}`;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(padding(content.length))]);
}

function padding(bytes: number): number {
  return (BLOCK - (bytes % BLOCK)) % BLOCK;
}
