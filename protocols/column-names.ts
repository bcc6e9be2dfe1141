/**
 * Names for the elements of a vector: those of the signature when there are as many, otherwise `base_0`, `base_1`, ….
 *
 * @param signature - Names in order, or undefined.
 * @param width - Elements of the vector.
 * @example
 * columnNames("x", 2, ["age", "income"]); // ["age", "income"]
 * columnNames("x", 2, undefined); // ["x_0", "x_1"]
 */
export function columnNames(
  base: string,
  width: number,
  signature: readonly string[] | undefined,
): readonly string[] {
  if (signature?.length === width) return signature;
  return width === 1 ? [base] : numbered(base, width);
}

const MOST_REMEMBERED = 64;
const WIDEST_REMEMBERED = 256;
/** The same few tensors come again and again, and a name that is the same text each time is found sooner in an object. */
const remembered = new Map<string, readonly string[]>();

function numbered(base: string, width: number): readonly string[] {
  const key = `${width} ${base}`;
  const known = remembered.get(key);
  if (known) return known;
  const names = Array.from({ length: width }, (_, at) => `${base}_${at}`);
  if (width <= WIDEST_REMEMBERED && base.length <= WIDEST_REMEMBERED) {
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    remembered.set(key, names);
  }
  return names;
}
