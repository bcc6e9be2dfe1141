import type { Cause } from "../schema/drift-result.ts";

interface Conversion {
  readonly name: string;
  readonly factor: number;
  readonly offset: number;
}

/** Conversions that happen upstream by mistake; each is tried both ways. */
const CONVERSIONS: readonly Conversion[] = [
  { name: "miles to kilometres", factor: 1.609344, offset: 0 },
  { name: "nautical miles to kilometres", factor: 1.852, offset: 0 },
  { name: "metres to feet", factor: 1 / 0.3048, offset: 0 },
  { name: "inches to centimetres", factor: 2.54, offset: 0 },
  { name: "kilograms to pounds", factor: 1 / 0.45359237, offset: 0 },
  { name: "litres to US gallons", factor: 1 / 3.785411784, offset: 0 },
  { name: "metres per second to kilometres per hour", factor: 3.6, offset: 0 },
  { name: "degrees Celsius to Fahrenheit", factor: 1.8, offset: 32 },
  { name: "degrees Celsius to kelvin", factor: 1, offset: 273.15 },
  { name: "tenfold (a shifted decimal point)", factor: 10, offset: 0 },
  { name: "a fraction to per cent (or a currency unit to its hundredth)", factor: 100, offset: 0 },
  { name: "thousandfold (a metric prefix, or seconds to milliseconds)", factor: 1_000, offset: 0 },
  { name: "millionfold (a metric prefix)", factor: 1_000_000, offset: 0 },
  { name: "minutes to seconds (or hours to minutes)", factor: 60, offset: 0 },
  { name: "hours to seconds", factor: 3_600, offset: 0 },
  { name: "days to hours", factor: 24, offset: 0 },
  { name: "a changed sign", factor: -1, offset: 0 },
];

/** Of the distance between the grids, at most this share may be left after converting back. */
const LEFT_OVER = 0.25;

/**
 * Whether a window's values look like the baseline's in another unit: converting them back must remove at
 * least three quarters of the KS distance, and leave no more than chance would.
 *
 * @param baseline - Quantiles of the baseline, ascending, evenly spaced in probability.
 * @param current - Quantiles of the window, the same number of them.
 * @param tolerance - KS distance that chance explains at this window's size.
 * @returns The best explanation, or `null` when there is none.
 * @example
 * unitChange([1, 2, 3, 4], [1.609344, 3.218688, 4.828032, 6.437376], 0.05)?.detail;
 * // "values look multiplied by 1.609: miles to kilometres"
 */
export function unitChange(
  baseline: readonly number[],
  current: readonly number[],
  tolerance: number,
): Cause | null {
  const before = gridDistance(baseline, current);
  if (before <= tolerance) return null;
  let best: { readonly left: number; readonly cause: Cause } | null = null;
  for (const { name, factor, offset } of CONVERSIONS) {
    const forward = current.map((value) => (value - offset) / factor);
    const backward = current.map((value) => value * factor + offset);
    for (const [converted, direction] of [
      [forward, "forward"],
      [backward, "backward"],
    ] as const) {
      const ordered = factor < 0 ? [...converted].reverse() : converted;
      const left = gridDistance(baseline, ordered);
      if (left > LEFT_OVER * before || left > tolerance || (best && left >= best.left)) continue;
      best = { left, cause: describe({ name, factor, offset }, direction) };
    }
  }
  return best?.cause ?? null;
}

function describe({ name, factor, offset }: Conversion, direction: "forward" | "backward"): Cause {
  const by = direction === "forward" ? factor : 1 / factor;
  const shown = Number(by.toPrecision(4));
  const words = direction === "forward" ? name : `the reverse of ${name}`;
  const how =
    offset === 0 ? `multiplied by ${shown}` : `converted (${Number(factor.toPrecision(4))} x + ${offset})`;
  return {
    kind: "unit-change",
    detail: `values look ${how}: ${words}`,
    ...(offset === 0 ? { factor: by } : {}),
  };
}

/** Largest difference of the two distribution functions, read off their quantile grids. */
function gridDistance(a: readonly number[], b: readonly number[]): number {
  let i = 0;
  let j = 0;
  let largest = 0;
  while (i < a.length && j < b.length) {
    // A hair's breadth of tolerance, so that a converted value meets the one it came from.
    const next = Math.min(a[i] ?? 0, b[j] ?? 0);
    const limit = next + Math.abs(next) * 1e-9;
    while (i < a.length && (a[i] ?? 0) <= limit) i += 1;
    while (j < b.length && (b[j] ?? 0) <= limit) j += 1;
    largest = Math.max(largest, Math.abs(i / a.length - j / b.length));
  }
  return largest;
}
