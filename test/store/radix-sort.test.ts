import { describe, expect, it } from "vitest";
import { sortNumbers } from "../../store/radix-sort.ts";

describe("sorting many numbers", () => {
  it.each([
    { what: "of both signs and all sizes", value: (i: number) => Math.sin(i) * 10 ** ((i % 600) - 300) },
    { what: "all equal", value: () => 7.25 },
    { what: "small whole ones, many ties", value: (i: number) => ((i * 7_919) % 13) - 6 },
    {
      what: "the ends of the doubles",
      value: (i: number) => [5e-324, -5e-324, 1.7e308, -1.7e308, 0][i % 5] ?? 0,
    },
  ])("$what", ({ value }) => {
    const values = Float64Array.from({ length: 30_000 }, (_, i) => value(i));
    // A part of a larger buffer, as queries give it.
    const part = new Float64Array(30_010).subarray(3, 30_003);
    part.set(values);
    expect(sortNumbers(part)).toEqual(values.slice().sort());
  });
});
