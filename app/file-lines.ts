import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { ServiceError } from "../schema/errors.ts";

const LINE_FEED = 0x0a;
const RETURN = 0x0d;
/** No server takes a longer one, and it has to be held in memory. */
const LONGEST_LINE = 256 * 1024 * 1024;

/**
 * Lines of a file (also gzipped; `-` is standard input) as the bytes that they are, without their ends. Only a line feed ends
 * one: U+2028 may stand in a text of JSON.
 *
 * @param onBytes - Told how many bytes were read, as they lie on disk.
 * @throws ServiceError `invalid-input` when the file cannot be read to its end, after the lines that are whole.
 */
export async function* linesOf(file: string, onBytes: (bytes: number) => void = () => undefined) {
  const source: Readable = file === "-" ? process.stdin : createReadStream(file);
  let bytes = 0;
  source.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    onBytes(bytes);
  });
  const plain: Readable = file.endsWith(".gz") ? source.pipe(createGunzip()) : source;
  if (plain !== source) source.once("error", (error) => plain.destroy(error));
  let number = 0;
  let parts: Buffer[] = [];
  let length = 0;
  const line = (end: Buffer) => {
    const whole = parts.length === 0 ? end : Buffer.concat([...parts, end]);
    parts = [];
    length = 0;
    number++;
    return whole.at(-1) === RETURN ? whole.subarray(0, -1) : whole;
  };
  try {
    for await (const chunk of plain as AsyncIterable<Buffer>) {
      let from = 0;
      for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, from)) {
        yield line(chunk.subarray(from, at));
        from = at + 1;
      }
      length += chunk.length - from;
      if (length > LONGEST_LINE) throw new Error(`line ${number + 1} is longer than ${LONGEST_LINE} bytes`);
      if (from < chunk.length) parts.push(chunk.subarray(from));
    }
  } catch (error) {
    throw new ServiceError(
      "invalid-input",
      `${file} cannot be read${number === 0 ? "" : ` beyond line ${number}`}: ${(error as Error).message}`,
      { cause: error },
    );
  } finally {
    if (file !== "-") source.destroy();
  }
  if (length > 0) yield line(Buffer.alloc(0));
}

/** Whether a line holds nothing but white space. */
export function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d));
}
