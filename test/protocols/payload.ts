/** UTF-8 of a text. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A digest that can be read: the bytes themselves. */
export function hexDigest(bytes: Uint8Array): string {
  return `hex:${Buffer.from(bytes).toString("hex")}`;
}

/** The value with every bigint as its digits and an n, and members that are undefined left out. */
export function withoutBigints(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `${item}n` : item)),
  );
}
