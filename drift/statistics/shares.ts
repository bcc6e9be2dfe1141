/**
 * Guards shared by the statistics on counts, and the counts as shares.
 *
 * @throws RangeError when the lengths differ, there is no bin, a count is negative or not finite, or a side is empty.
 * @example
 * bothShares("psi", [1, 1], [1, 3]).q; // [0.25, 0.75]
 */
export function bothShares(
  name: string,
  reference: readonly number[],
  current: readonly number[],
): { readonly p: readonly number[]; readonly q: readonly number[] } {
  if (reference.length !== current.length) {
    throw new RangeError(`${name}: ${reference.length} reference bins but ${current.length} current`);
  }
  return { p: shares(name, "reference", reference), q: shares(name, "current", current) };
}

function shares(name: string, side: string, counts: readonly number[]): number[] {
  let sum = 0;
  for (const count of counts) {
    if (!(count >= 0) || count === Number.POSITIVE_INFINITY)
      throw new RangeError(`${name}: a ${side} count is ${count}`);
    sum += count;
  }
  if (sum === 0) throw new RangeError(`${name}: the ${side} side is empty`);
  return counts.map((count) => count / sum);
}

/**
 * Shares with the empty ones raised to `floor`, so that logarithms stay finite; not scaled to 1 again.
 *
 * @example
 * floored([0, 1], 1e-4); // [0.0001, 1]
 */
export function floored(shareList: readonly number[], floor: number): number[] {
  if (!(floor > 0 && floor < 1)) throw new RangeError(`floor ${floor}: expected a share between 0 and 1`);
  return shareList.map((share) => Math.max(share, floor));
}
