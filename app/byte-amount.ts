const UNIT_BYTES: Readonly<Record<string, number>> = {
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** An amount such as `400MB`, `1.5 GB` or `2GiB`. */
export const BYTE_AMOUNT = /^(\d+(?:\.\d+)?)\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$/;

/**
 * Bytes of an amount as it is written.
 *
 * @throws RangeError when the text is no such amount.
 */
export function bytesOf(text: string): number {
  const [, number, unit = ""] = BYTE_AMOUNT.exec(text) ?? [];
  const factor = UNIT_BYTES[unit];
  if (number === undefined || factor === undefined) throw new RangeError(`"${text}" is no amount of bytes`);
  return Math.round(Number(number) * factor);
}
