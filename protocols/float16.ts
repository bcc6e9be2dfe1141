/**
 * The number of an IEEE 754 half-precision word (1 sign bit, 5 of exponent, 10 of fraction).
 *
 * @param word - Unsigned 16-bit integer.
 * @see IEEE 754-2019, binary16.
 * @example
 * fromFloat16(0x3c00); // 1
 */
export function fromFloat16(word: number): number {
  const sign = word & 0x8000 ? -1 : 1;
  const exponent = (word >> 10) & 0x1f;
  const fraction = word & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * The half-precision word nearest to a number, ties to even; beyond 65504 an infinity.
 *
 * @example
 * toFloat16(1); // 0x3c00
 */
export function toFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00; // half way between the largest and the next there would be
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  const units = roundToEven(size / 2 ** (exponent - 10));
  // A fraction that rounds up to 2048 carries into the exponent by itself.
  return sign | (units < 1024 && exponent === -14 ? units : ((exponent + 15) << 10) + (units - 1024));
}

/** The number whose upper 16 bits as a single-precision float are `word` (bfloat16: 8 bits of exponent, 7 of fraction). */
export function fromBfloat16(word: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, word << 16);
  return view.getFloat32(0);
}

/** The bfloat16 word nearest to a number, ties to even. */
export function toBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  const rounded = bits + 0x7fff + ((bits >>> 16) & 1);
  return (rounded >>> 16) & 0xffff;
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
