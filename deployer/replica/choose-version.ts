/**
 * A point in [0, 1) that belongs to a text: the same text always has the same one, on every machine.
 *
 * FNV-1a over UTF-16 units with the finaliser of MurmurHash3.
 */
export function pointOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/**
 * Which of the versions a point falls to: each has a stretch of [0, 1) as long as its weight, in their order. The last
 * version's stretch grows to the left, so that a key which has come to a canary stays with it while its weight grows.
 *
 * @param versions - With weights in percent that add up to 100; at least one is above 0.
 */
export function chooseVersion<V extends { readonly weight: number }>(
  versions: readonly V[],
  point: number,
): V {
  let from = 0;
  let chosen: V | undefined;
  for (const version of versions) {
    if (version.weight <= 0) continue;
    chosen = version;
    from += version.weight / 100;
    if (point < from) return version;
  }
  if (!chosen) throw new RangeError("no version has a weight");
  return chosen;
}
