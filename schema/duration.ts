import { z } from "zod";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Length of a duration such as `15m`, `1d` or `1w`, in milliseconds.
 *
 * @param text - A positive whole or decimal number and a unit: ms, s, m, h, d, w.
 * @throws RangeError when the text is not of that form.
 * @example
 * durationMs("1d"); // 86400000
 */
export function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text);
  const unit = match?.[2] === undefined ? undefined : UNIT_MS[match[2]];
  if (!match || unit === undefined || Number(match[1]) <= 0) {
    throw new RangeError(`"${text}" is not a duration: expected a number and a unit, such as 15m, 1d or 1w`);
  }
  return Number(match[1]) * unit;
}

/** A duration as users write it: `30s`, `15m`, `6h`, `1d`, `1w`. */
export const durationText = z
  .string()
  .regex(/^(?=.*[1-9])\d+(\.\d+)?(ms|s|m|h|d|w)$/, "expected a duration such as 15m, 1d or 1w")
  .meta({
    description: "A duration: a number and a unit (ms, s, m, h, d, w)",
    examples: ["15m", "1d", "1w"],
  });
