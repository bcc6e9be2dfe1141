import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chiSquareQuantile, chiSquareSurvival } from "../../../drift/distributions/chi-square.ts";
import { expectRelative } from "../expect-relative.ts";

describe("chi-square", () => {
  it.each([
    // scipy 1.10.1: stats.chi2.sf(x, df)
    [1e-8, 1, 0.9999202115440526],
    [3.841458820694124, 1, 0.04999999999999989],
    [0.5, 0.1, 0.05229117982668132],
    [0.02, 0.5, 0.6518135472395157],
    [1_400, 1, 2.1010145162644003e-306],
    [1_380, 5, 2.967486138565978e-296],
    [9, 9, 0.43727418891386693],
    [25, 9.7, 0.0045085166016696635],
    [1_000, 1_000, 0.49405285382923964],
    [1_200, 1_000, 1.2255942330622893e-5],
    [500, 1_000, 1],
    [3_000, 1_000, 1.6436845843568014e-198],
    [1e8, 1e8, 0.49998119368054633],
    [100_042_426.4068712, 1e8, 0.0013515698737677686],
    [99_985_857.86437626, 1e8, 0.8413447468753166],
  ])("P(X > %d) with %d degrees of freedom is %d", (x, df, expected) => {
    expectRelative(chiSquareSurvival(x, df), expected, 1e-11);
  });

  it.each([
    // scipy 1.10.1: stats.chi2.isf(p, df)
    [0.05, 1, 3.8414588206941285],
    [1e-300, 1, 1373.8726312223944],
    [0.5, 0.1, 1.1147756881492586e-6],
    [0.99, 0.5, 1.3499395859116962e-8],
    [1e-6, 9.7, 46.25295299249649],
    [0.01, 100, 135.80672317102676],
    [1e-20, 1e6, 1013155.5114960591],
    [0.9, 1e4, 9819.19488184482],
  ])("the value passed with probability %d at %d degrees of freedom is %d", (upper, df, expected) => {
    expectRelative(chiSquareQuantile(upper, df), expected, 1e-11);
  });

  it("with two degrees of freedom is exponential", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1_400, noNaN: true }), (x) => {
        expectRelative(chiSquareSurvival(x, 2), Math.exp(-x / 2), 1e-12);
      }),
    );
  });

  it("is undone by its quantile", () => {
    const upper = fc.double({ min: 1e-250, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(upper, fc.double({ min: 0.05, max: 5_000, noNaN: true }), (p, df) => {
        expectRelative(chiSquareSurvival(chiSquareQuantile(p, df), df), p, 1e-9);
      }),
    );
  });

  it("falls as x grows", () => {
    const x = fc.double({ min: 0, max: 2_000, noNaN: true });
    fc.assert(
      fc.property(x, x, fc.double({ min: 0.1, max: 1_000, noNaN: true }), (a, b, df) => {
        const [low, high] = [chiSquareSurvival(Math.min(a, b), df), chiSquareSurvival(Math.max(a, b), df)];
        expect(high).toBeLessThanOrEqual(low * (1 + 1e-12));
      }),
    );
  });

  it.each([
    { call: () => chiSquareSurvival(1, 0), says: "0 degrees of freedom" },
    { call: () => chiSquareSurvival(1, Number.NaN), says: "NaN degrees of freedom" },
    { call: () => chiSquareSurvival(Number.NaN, 1), says: "x is NaN" },
    { call: () => chiSquareQuantile(1.1, 1), says: "probability 1.1" },
  ])("refuses $says", ({ call, says }) => {
    expect(call).toThrow(new RegExp(says));
  });

  it("knows the ends", () => {
    expect(chiSquareSurvival(0, 3)).toBe(1);
    expect(chiSquareSurvival(Number.POSITIVE_INFINITY, 3)).toBe(0);
    expect(chiSquareQuantile(0, 3)).toBe(Number.POSITIVE_INFINITY);
    expect(chiSquareQuantile(1, 3)).toBe(0);
  });
});
