import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  kolmogorovSurvival,
  ksCriticalValue,
  ksTwoSampleP,
} from "../../../drift/distributions/kolmogorov.ts";
import { expectRelative } from "../expect-relative.ts";

describe("Kolmogorov–Smirnov", () => {
  it.each([
    // scipy 1.10.1: stats.kstwo.sf(d, np.round(n * m / (n + m))), the p-value of ks_2samp(method="asymp")
    [0.5, 10, 10, 0.112],
    [1 / 3, 3, 3, 0.9444444444444444],
    [0.9, 4, 4, 0.01999999999999999],
    [0.35, 10, 1_000, 0.1339605462624991],
    [0.12, 100, 100, 0.4337679661310233],
    [0.16, 200, 300, 0.003764380908008924],
    [0.2, 280, 280, 2.1981563302200222e-5], // 140 rows: the last of Durbin's matrix
    [0.2, 284, 284, 1.8704219402719563e-5], // 142 rows: the one-sided sum
    [0.3, 200, 250, 2.3467607691372587e-9],
    [0.05, 2_000, 3_000, 0.004784209236950445],
    [0.049, 2_000, 3_000, 0.0060727046418042096],
    [0.02, 8_645, 741, 0.9427431206447067],
    [0.4992866782340466, 8_645, 741, 1.0518634845497178e-157],
    [0.006, 100_000, 100_001, 0.05442749636006261],
    [0.0086, 100_000, 100_001, 0.0012202799673242783],
    [0.0022, 1_000_000, 900_000, 0.02037221352726386],
    [0.02, 1_900_000, 2_000_000, 0],
    [0.0102, 100_000, 100_001, 6.0199449964342e-5],
    [0.0006, 3_000_000, 3_000_000, 0.6524818982358062],
    [0.001, 10_000_000, 10_000_000, 9.07393454503348e-5],
    [0.0003, 10_000_000, 10_000_000, 0.7589778613140956],
    [0.0002, 10_000_000, 10_000_000, 0.9882388907865487],
    [0.6, 1_000_000, 2, 0.32000000000000006],
    [0.9999, 1_000, 1_000, 0],
    [0, 5, 5, 1],
    [1, 5, 5, 0],
  ])("a distance of %d at %d and %d rows has p = %d", (d, n, m, expected) => {
    expectRelative(ksTwoSampleP(d, n, m), expected, 1e-10);
  });

  it.each([
    // scipy 1.10.1: special.kolmogorov(x)
    [0.04, 1],
    [0.3, 0.9999906941986655],
    [0.9, 0.3927307079406543],
    [0.99, 0.2808738392255489],
    [1.01, 0.25943416909359746],
    [1.3580986393225507, 0.049999999999999975],
    [5, 3.8574996959278356e-22],
    [18, 7.554499944724249e-282],
  ])("the limit passes %d with probability %d", (x, expected) => {
    expectRelative(kolmogorovSurvival(x), expected, 1e-13);
  });

  it("comes to its limit", () => {
    expectRelative(ksTwoSampleP(1.36 / 1_000, 2_000_000, 2_000_000), kolmogorovSurvival(1.36), 2e-3);
  });

  it("never rises with the distance, whatever method is taken on either side", () => {
    const sizes = fc.constantFrom(3, 20, 139, 140, 141, 1_000, 99_999, 100_001, 1_000_000, 1_000_001);
    const z = fc.double({ min: 0.05, max: 6, noNaN: true });
    fc.assert(
      fc.property(sizes, z, (rows, scaled) => {
        const d = Math.min(1, scaled / Math.sqrt(rows));
        const at = (distance: number) => ksTwoSampleP(Math.min(1, distance), 2 * rows, 2 * rows);
        expect(at(d * 1.001)).toBeLessThanOrEqual(at(d) + 1e-9);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    { alpha: 0.05, n: 1_000, m: 1_000 },
    { alpha: 0.01, n: 8_645, m: 741 },
    { alpha: 1e-6, n: 100, m: 100 },
    { alpha: 0.05, n: 5, m: 5 },
    { alpha: 1e-100, n: 10_000_000, m: 10_000 },
  ])("the critical value for $alpha at $n and $m rows has that p-value", ({ alpha, n, m }) => {
    expectRelative(ksTwoSampleP(ksCriticalValue(alpha, n, m), n, m), alpha, 1e-8);
  });

  it.each([
    { call: () => ksTwoSampleP(1.1, 5, 5), says: "KS distance 1.1" },
    { call: () => ksTwoSampleP(Number.NaN, 5, 5), says: "KS distance NaN" },
    { call: () => ksTwoSampleP(0.1, 0, 5), says: "0 and 5 rows" },
    { call: () => ksCriticalValue(0, 5, 5), says: "alpha 0" },
    { call: () => kolmogorovSurvival(Number.NaN), says: "x is NaN" },
  ])("refuses: $says", ({ call, says }) => {
    expect(call).toThrow(new RegExp(says));
  });

  it("one row each tells nothing", () => {
    expect(ksTwoSampleP(1, 1, 1)).toBe(1); // half an independent row; scipy gives NaN
  });
});
