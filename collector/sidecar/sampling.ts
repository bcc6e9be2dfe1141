/**
 * Whether a call is in the sample, by its id alone: the same id is always in or always out, on every machine, and a
 * larger share holds everything that a smaller one holds.
 *
 * @param share - In [0, 1].
 * @example
 * isSampled("request-17", 1); // true
 */
export function isSampled(id: string, share: number): boolean {
  if (share >= 1) return true;
  return hash32(id) < share * 2 ** 32;
}

/** The same for an id that lies in the bytes of a request as UTF-8. */
export function isSampledBytes(bytes: Uint8Array, from: number, to: number, share: number): boolean {
  if (share >= 1) return true;
  let hash = OFFSET;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte > 0x7f) {
      return isSampled(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString(), share);
    }
    hash = Math.imul(hash ^ byte, PRIME);
  }
  return finish(hash) < share * 2 ** 32;
}

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/** FNV-1a over UTF-16 units, with the finaliser of MurmurHash3 so that ids which differ in their last digit spread. */
function hash32(text: string): number {
  let hash = OFFSET;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return finish(hash);
}

function finish(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
