import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unitChange } from "../../drift/unit-change.ts";

/** 201 quantiles of a log-normal-like quantity, such as distances flown. */
const baseline = Array.from({ length: 201 }, (_, i) => 300 * Math.exp(1.2 * (i / 200) ** 2 + i / 200));
const TOLERANCE = 0.05;

describe("a change of unit", () => {
  it.each([
    { what: "miles to kilometres", convert: (x: number) => x * 1.609344, factor: 1.609344 },
    {
      what: "the reverse of miles to kilometres",
      convert: (x: number) => x / 1.609344,
      factor: 1 / 1.609344,
    },
    { what: "thousandfold", convert: (x: number) => x * 1_000, factor: 1_000 },
    { what: "metres to feet", convert: (x: number) => x / 0.3048, factor: 1 / 0.3048 },
    { what: "Celsius to Fahrenheit", convert: (x: number) => x * 1.8 + 32, factor: undefined },
  ])("is recognised: $what", ({ what, convert, factor }) => {
    const cause = unitChange(baseline, baseline.map(convert), TOLERANCE);
    expect(cause?.kind).toBe("unit-change");
    expect(cause?.detail).toContain(what);
    if (factor === undefined) expect(cause?.factor).toBeUndefined();
    else expect(cause?.factor).toBeCloseTo(factor, 6);
  });

  it("recognises a changed sign", () => {
    const mirrored = baseline.map((x) => -x).reverse();
    expect(unitChange(baseline, mirrored, TOLERANCE)?.detail).toContain("sign");
  });

  it.each([
    { what: "nothing changed", convert: (x: number) => x },
    { what: "a shift of a tenth", convert: (x: number) => x * 1.1 },
    { what: "a shift by a fixed amount", convert: (x: number) => x + 400 },
    { what: "another shape", convert: (x: number) => Math.sqrt(x) * 60 },
  ])("is not seen where there is none: $what", ({ convert }) => {
    expect(unitChange(baseline, baseline.map(convert), TOLERANCE)).toBeNull();
  });

  it("any listed conversion of any sample is undone: what is left is chance", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.double({ min: 1, max: 1_000, noNaN: true }), { minLength: 50, maxLength: 200 }),
        fc.constantFrom(1.609344, 2.54, 3.6, 60, 100, 1_000),
        (values, factor) => {
          const grid = [...values].sort((a, b) => a - b);
          const cause = unitChange(
            grid,
            grid.map((x) => x * factor),
            0.02,
          );
          expect(cause?.factor).toBeCloseTo(factor, 9);
        },
      ),
    );
  });
});
