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

/** FNV-1a over UTF-16 units, with the finaliser of MurmurHash3 so that ids which differ in their last digit spread. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
