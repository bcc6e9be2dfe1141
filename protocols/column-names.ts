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
  return width === 1 ? [base] : Array.from({ length: width }, (_, at) => `${base}_${at}`);
}
