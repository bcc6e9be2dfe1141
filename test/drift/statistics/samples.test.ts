import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ksTwoSampleP } from "../../../drift/distributions/kolmogorov.ts";
import { cramerVonMisesP } from "../../../drift/statistics/cramer-von-mises.ts";
import { sortedSampleStatistics } from "../../../drift/statistics/sorted-samples.ts";
import { expectRelative } from "../expect-relative.ts";

const statisticsOf = (a: readonly number[], b: readonly number[]) =>
  sortedSampleStatistics(Float64Array.from(a).sort(), Float64Array.from(b).sort());

const beds = [38.7, 41.5, 43.8, 44.5, 45.5, 46, 47.7, 58];
const fractions = Array.from({ length: 2_000 }, (_, i) => ((i * 7_919) % 2_003) / 10);
const others = Array.from({ length: 1_500 }, (_, i) => ((i * 104_729) % 2_011) / 11 + 3);

describe("statistics of two samples, against scipy 1.10.1", () => {
  // ks_2samp(method="asymp"), wasserstein_distance, energy_distance, cramervonmises_2samp(method="asymptotic")
  it.each([
    {
      name: "samples that do not touch",
      a: [0, 1, 3],
      b: [5, 6, 8],
      ks: [1, 0],
      wasserstein: 5,
      energy: 2.7080128015453204,
      cvm: [0.5277777777777778, 0.03073953510950489],
    },
    {
      name: "a shift by five",
      a: beds,
      b: beds.map((value) => value + 5),
      ks: [0.625, 0.04931640625],
      wasserstein: 5,
      energy: 1.9332614929181204,
      cvm: [0.515625, 0.0359120726798664],
    },
    {
      name: "a wider sample",
      a: beds,
      b: [39.2, 39.3, 39.7, 41.4, 41.8, 42.9, 43.3, 45.8],
      ks: [0.625, 0.04931640625],
      wasserstein: 4.1625,
      energy: 1.570230874744221,
      cvm: [0.4375, 0.05788700364500943],
    },
    {
      name: "many ties",
      a: [1, 1, 1, 2, 2, 3],
      b: [1, 2, 2, 2, 3, 3, 4, 4],
      ks: [0.375, 0.6640625],
      wasserstein: 0.9583333333333334,
      energy: 0.7927623996016854,
      cvm: [0.3013392857142856, 0.1395371447818331],
    },
    {
      name: "two rows each",
      a: [1, 2],
      b: [3, 4],
      ks: [1, 0],
      wasserstein: 2,
      energy: Math.sqrt(3),
      cvm: [0.375, 0.08291486010994986],
    },
    {
      name: "a constant and nearly the same constant",
      a: [7, 7, 7, 7],
      b: [7, 7, 8],
      ks: [1 / 3, 0.9444444444444444],
      wasserstein: 1 / 3,
      energy: 0.4714045207910318,
      cvm: [0.18452380952380953, 0.3603907240635844],
    },
    {
      name: "very different scales",
      a: [-1e6, 0, 1e6],
      b: [-1e-6, 1e-6],
      ks: [1 / 3, 1],
      wasserstein: 666666.6666663333,
      energy: 666.6666666664167,
      cvm: [0.06666666666666665, 0.999999997627703],
    },
    {
      name: "thousands of rows",
      a: fractions,
      b: others,
      ks: [0.0728333333333333, 0.00021259664927414436],
      wasserstein: 6.3866893939393945,
      energy: 0.7746020839010429,
      cvm: [1.2856883214286654, 0.000534212060075534],
    },
  ])("$name", ({ a, b, ks, wasserstein, energy, cvm }) => {
    const got = statisticsOf(a, b);
    expectRelative(got.ks, ks[0] ?? Number.NaN, 1e-12);
    expectRelative(ksTwoSampleP(got.ks, a.length, b.length), ks[1] ?? Number.NaN, 1e-9);
    expectRelative(got.wasserstein, wasserstein, 1e-12);
    expectRelative(got.energy, energy, 1e-12);
    expectRelative(got.cramer_von_mises.value, cvm[0] ?? Number.NaN, 1e-10);
    expectRelative(got.cramer_von_mises.pValue, cvm[1] ?? Number.NaN, 1e-8);
  });

  it.each([
    { name: "constant columns that agree", a: [2, 2], b: [2, 2] },
    { name: "one row each", a: [5], b: [5] },
    { name: "zeros of both signs", a: [-0, 0], b: [0, -0] },
  ])("$name differ in nothing", ({ a, b }) => {
    const got = statisticsOf(a, b);
    expect(got).toMatchObject({ ks: 0, wasserstein: 0, energy: 0 });
    expect(Math.abs(got.cramer_von_mises.value)).toBeLessThan(1e-15);
    expect(got.cramer_von_mises.pValue).toBe(1);
  });

  it("one row each has no Cramér–von Mises p-value below 1", () => {
    expect(cramerVonMisesP(0.5, 1, 1)).toBe(1);
    expect(() => cramerVonMisesP(0.5, 0, 3)).toThrow("at least 1 each");
  });

  it("refuses an empty sample and one that is not finite, by name", () => {
    const some = Float64Array.of(1, 2);
    expect(() => sortedSampleStatistics(new Float64Array(0), some)).toThrow("sample a has no rows");
    expect(() => sortedSampleStatistics(some, new Float64Array(0))).toThrow("sample b has no rows");
    expect(() => sortedSampleStatistics(some, Float64Array.of(1, Number.NaN))).toThrow("sample b holds NaN");
    expect(() => sortedSampleStatistics(Float64Array.of(Number.NEGATIVE_INFINITY, 1), some)).toThrow(
      "sample a holds -Infinity",
    );
  });

  it("the widest span of doubles does not overflow", () => {
    const { wasserstein, energy } = statisticsOf([-1e308, -1e308], [7e307, 7e307]);
    expectRelative(wasserstein, 1.7e308);
    expectRelative(energy, Math.sqrt(2) * Math.sqrt(1.7e308));
  });

  it("two million rows: a small shift has a p-value that underflows to 0, a tiny one keeps its digits", () => {
    const n = 1_000_000;
    const even = Float64Array.from({ length: n }, (_, i) => i);
    const moved = (by: number) => Float64Array.from({ length: n }, (_, i) => i + by);
    const large = sortedSampleStatistics(even, moved(100_000));
    expectRelative(large.ks, 0.1, 1e-12);
    expectRelative(large.wasserstein, 100_000, 1e-10);
    expect(ksTwoSampleP(large.ks, n, n)).toBe(0);
    expect(large.cramer_von_mises.pValue).toBeGreaterThanOrEqual(0);
    expect(large.cramer_von_mises.pValue).toBeLessThan(1e-100);
    const small = sortedSampleStatistics(even, moved(2_000));
    // scipy 1.10.1: kstwo.sf(0.002, 500_000)
    expectRelative(ksTwoSampleP(small.ks, n, n), 0.036582179671620585, 1e-6);
  });
});

const sample = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 30 });

describe("laws of the statistics of two samples", () => {
  it("KS, Wasserstein and energy are 0 for a sample and itself, and for a sample and itself twice", () => {
    fc.assert(
      fc.property(sample, (a) => {
        for (const other of [a, [...a, ...a]]) {
          const got = statisticsOf(a, other);
          expect(got).toMatchObject({ ks: 0, wasserstein: 0, energy: 0 });
        }
      }),
    );
  });

  it("all are symmetric", () => {
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const there = statisticsOf(a, b);
        const back = statisticsOf(b, a);
        expect(back.ks).toBe(there.ks);
        expectRelative(back.wasserstein, there.wasserstein);
        expectRelative(back.energy, there.energy);
        expect(back.cramer_von_mises.value).toBeCloseTo(there.cramer_von_mises.value, 10);
      }),
    );
  });

  it("KS and Cramér–von Mises are blind to a rising map of the values", () => {
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const rising = (value: number) => Math.exp(value / 10) + value ** 3;
        const before = statisticsOf(a, b);
        const after = statisticsOf(a.map(rising), b.map(rising));
        expect(after.ks).toBe(before.ks);
        expect(after.cramer_von_mises).toEqual(before.cramer_von_mises);
      }),
    );
  });

  it("KS and Cramér–von Mises see a falling map as they see the values", () => {
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const negative = (value: number) => -value;
        expectRelative(
          1 + statisticsOf(a.map(negative), b.map(negative)).ks,
          1 + statisticsOf(a, b).ks,
          1e-12,
        );
        expectRelative(
          1 + statisticsOf(a.map(negative), b.map(negative)).cramer_von_mises.value,
          1 + statisticsOf(a, b).cramer_von_mises.value,
        );
      }),
    );
  });

  it("Wasserstein and energy follow a shift and a scale of both", () => {
    fc.assert(
      fc.property(
        sample,
        sample,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: -99, max: 99 }),
        (a, b, k, c) => {
          const moved = (value: number) => k * value + c;
          const before = statisticsOf(a, b);
          const after = statisticsOf(a.map(moved), b.map(moved));
          expectRelative(after.wasserstein, k * before.wasserstein);
          expectRelative(after.energy, Math.sqrt(k) * before.energy);
        },
      ),
    );
  });

  it("Wasserstein, energy and KS keep the triangle inequality", () => {
    fc.assert(
      fc.property(sample, sample, sample, (a, b, c) => {
        for (const name of ["wasserstein", "energy", "ks"] as const) {
          const direct = statisticsOf(a, c)[name];
          expect(direct).toBeLessThanOrEqual(statisticsOf(a, b)[name] + statisticsOf(b, c)[name] + 1e-9);
        }
      }),
    );
  });

  it("Wasserstein is at least the difference of the means, and that for a shift", () => {
    const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        expect(statisticsOf(a, b).wasserstein).toBeGreaterThanOrEqual(Math.abs(mean(a) - mean(b)) - 1e-9);
        expectRelative(
          statisticsOf(
            a,
            a.map((value) => value + 7),
          ).wasserstein,
          7,
        );
      }),
    );
  });

  it("the walk agrees with the definitions, done the slow way", () => {
    const share = (list: readonly number[], x: number) =>
      list.filter((value) => value <= x).length / list.length;
    const meanGap = (a: readonly number[], b: readonly number[]) =>
      a.reduce((sum, x) => sum + b.reduce((inner, y) => inner + Math.abs(x - y), 0), 0) /
      (a.length * b.length);
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const got = statisticsOf(a, b);
        const points = [...a, ...b];
        expectRelative(got.ks, Math.max(...points.map((x) => Math.abs(share(a, x) - share(b, x)))), 1e-12);
        const squared = 2 * meanGap(a, b) - meanGap(a, a) - meanGap(b, b);
        expect(got.energy ** 2).toBeCloseTo(Math.max(0, squared), 8);
        // Whole numbers: the area is the sum of the gaps at each of them.
        const whole = Array.from({ length: 101 }, (_, i) => i - 50);
        const area = whole.reduce((sum, x) => sum + Math.abs(share(a, x) - share(b, x)), 0);
        expect(got.wasserstein).toBeCloseTo(area, 9);
      }),
    );
  });
});
