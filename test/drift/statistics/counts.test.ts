import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chiSquare } from "../../../drift/statistics/chi-square.ts";
import { hellinger } from "../../../drift/statistics/hellinger.ts";
import { jensenShannonDistance } from "../../../drift/statistics/jensen-shannon.ts";
import { kl } from "../../../drift/statistics/kl.ts";
import { ksFromBins } from "../../../drift/statistics/ks-from-bins.ts";
import { lInfinity } from "../../../drift/statistics/l-infinity.ts";
import { psi } from "../../../drift/statistics/psi.ts";
import { tvd } from "../../../drift/statistics/tvd.ts";
import { expectRelative } from "../expect-relative.ts";

const byName = {
  psi,
  kl,
  jensen_shannon: jensenShannonDistance,
  hellinger,
  l_infinity: lInfinity,
  tvd,
  ks: ksFromBins,
  chi_square: (a: readonly number[], b: readonly number[]) => chiSquare(a, b).value,
} as const;
const bounded = ["jensen_shannon", "hellinger", "l_infinity", "tvd", "ks"] as const;
const blindToOrder = ["psi", "kl", "jensen_shannon", "hellinger", "l_infinity", "tvd", "chi_square"] as const;

describe("statistics on counts, against scipy 1.10.1 and numpy 1.24", () => {
  // psi and kl: shares floored at 1e-4, kl by scipy.special.rel_entr; jensen_shannon: spatial.distance.jensenshannon(p, q, 2);
  // chi_square: stats.chi2_contingency(correction=False) without the columns that are empty on both sides.
  it.each([
    {
      reference: [16, 18, 16, 14, 12, 12],
      current: [16, 16, 16, 16, 16, 8],
      expected: {
        chi_square: 1.6224089635854342,
        psi: 0.037218381577290835,
        jensen_shannon: 0.08173421330573757,
        hellinger: 0.06812774370983354,
        kl: 0.018308704611970573,
        l_infinity: 1 / 22,
        tvd: 0.06818181818181819,
        ks: 1 / 22,
      },
    },
    {
      reference: [25, 25, 25, 25],
      current: [10, 20, 30, 40],
      expected: {
        chi_square: 10.900210900210901,
        psi: 0.22821740957339182,
        jensen_shannon: 0.2005033225314282,
        hellinger: 0.16789959640267474,
        kl: 0.10644013528622318,
        l_infinity: 0.15,
        tvd: 0.2,
        ks: 0.2,
      },
    },
    {
      reference: [50, 30, 20],
      current: [20, 30, 50],
      expected: {
        chi_square: 25.714285714285715,
        psi: 0.549774439124493,
        jensen_shannon: 0.30954095367714807,
        hellinger: 0.25989318568658965,
        kl: 0.27488721956224654,
        l_infinity: 0.3,
        tvd: 0.3,
        ks: 0.3,
      },
    },
    {
      reference: [4, 2, 0], // a category that the baseline has not seen
      current: [1, 1, 4],
      expected: {
        chi_square: 6.133333333333333,
        psi: 6.677708065705561,
        jensen_shannon: 0.6852902075884664,
        hellinger: 0.6564787934664384,
        kl: 5.523343252298706,
        l_infinity: 2 / 3,
        tvd: 2 / 3,
        ks: 2 / 3,
      },
    },
    {
      reference: [5, 0, 0], // nothing in common
      current: [0, 3, 4],
      expected: {
        chi_square: 12,
        psi: 17.735150228505134,
        jensen_shannon: 1,
        hellinger: 1,
        kl: 8.526511233238512,
        l_infinity: 1,
        tvd: 1,
        ks: 1,
      },
    },
    {
      reference: [9_900, 100, 0],
      current: [10, 0, 5],
      expected: {
        chi_square: 3335.065741675076,
        psi: 2.876540149497983,
        jensen_shannon: 0.44110524476651464,
        hellinger: 0.43312372312816566,
        kl: 2.4398389959143167,
        l_infinity: 1 / 3,
        tvd: 1 / 3,
        ks: 1 / 3,
      },
    },
    {
      reference: [1_000_000, 1_000_000],
      current: [1_000_000, 1_005_000],
      expected: {
        chi_square: 6.226640381590061,
        psi: 6.218879689574684e-6,
        jensen_shannon: 0.0010590056989464526,
        hellinger: 0.0008816801350157601,
        kl: 3.1094366219127246e-6,
        l_infinity: 0.0012468827930174342,
        tvd: 0.0012468827930174342,
        ks: 0.0012468827930174342,
      },
    },
  ])("$reference against $current", ({ reference, current, expected }) => {
    for (const [name, value] of Object.entries(expected))
      expectRelative(byName[name as keyof typeof byName](reference, current), value, 1e-9);
  });

  it.each([
    { reference: [16, 18, 16, 14, 12, 12], current: [16, 16, 16, 16, 16, 8], p: 0.8985262394026607, df: 5 },
    { reference: [4, 2, 0], current: [1, 1, 4], p: 0.04657615022238343, df: 2 },
    { reference: [3, 0, 2], current: [1, 0, 3], p: 0.29371811275178894, df: 1 },
    { reference: [1e6, 1e6], current: [1e6, 1.005e6], p: 0.012584227141698793, df: 1 },
    { reference: [1, 2, 3], current: [1, 2, 3], p: 1, df: 2 },
  ])("chi-square of $reference against $current has p = $p", ({ reference, current, p, df }) => {
    const test = chiSquare(reference, current);
    expectRelative(test.pValue, p, 1e-9);
    expect(test.degreesOfFreedom).toBe(df);
  });

  it("chi-square of ten million rows underflows to a p-value of 0, not to NaN", () => {
    const test = chiSquare([1e7, 1e7], [1e7, 2e7]);
    expectRelative(test.value, 1388888.8888888888);
    expect(test.pValue).toBe(0);
    // Less of a change keeps a p-value with digits.
    const { value, pValue } = chiSquare([1e7, 1e7], [1e7, 1.01422e7]);
    expect(value).toBeGreaterThan(200);
    expect(pValue).toBeGreaterThan(0);
    expect(pValue).toBeLessThan(1e-50);
  });

  it.each(Object.entries(byName))("%s of one category, or of two rows that agree, is 0", (_, statistic) => {
    expect(statistic([7], [3])).toBe(0);
    expect(statistic([1, 1], [1, 1])).toBe(0);
    expect(statistic([0, 2, 0], [0, 1, 0])).toBe(0);
  });

  it("chi-square of one category has nothing to test", () => {
    expect(chiSquare([7], [3])).toEqual({ value: 0, degreesOfFreedom: 0, pValue: 1 });
    expect(chiSquare([0, 7], [0, 3]).pValue).toBe(1);
  });

  it.each(Object.entries(byName))(
    "%s refuses what is no pair of counts and says which side",
    (_, statistic) => {
      expect(() => statistic([1, 2], [1])).toThrow("2 reference bins but 1 current");
      expect(() => statistic([1, 2], [0, 0])).toThrow("the current side is empty");
      expect(() => statistic([], [])).toThrow("the reference side is empty");
      expect(() => statistic([1, -1], [1, 1])).toThrow("a reference count is -1");
      expect(() => statistic([1, 1], [1, Number.NaN])).toThrow("a current count is NaN");
      expect(() => statistic([1, Number.POSITIVE_INFINITY], [1, 1])).toThrow("a reference count is Infinity");
    },
  );

  it("the floor weighs an emptied bin, and has to be a share", () => {
    expectRelative(psi([1, 1], [1, 0], 1e-6), (1 - 0.5) * Math.log(2) + (1e-6 - 0.5) * Math.log(2e-6));
    expect(psi([1, 1], [1, 0], 1e-6)).toBeGreaterThan(psi([1, 1], [1, 0]));
    expect(() => psi([1, 1], [1, 0], 0)).toThrow("floor 0: expected a share");
    expect(() => kl([1, 1], [1, 0], 1)).toThrow("floor 1: expected a share");
  });
});

const BINS = 5;
const counts = fc
  .array(fc.nat(1_000), { minLength: BINS, maxLength: BINS })
  .filter((list) => list.some((count) => count > 0));
const order = fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: BINS, maxLength: BINS });
const arranged = (list: readonly number[], by: readonly number[]) => by.map((i) => list[i] ?? 0);

describe("laws of the statistics on counts", () => {
  it.each(Object.entries(byName))("%s is 0 for equal shares, at any size", (_, statistic) => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 1_000 }), (a, times) => {
        const more = a.map((count) => times * count);
        expect(statistic(a, more)).toBeCloseTo(0, 6);
      }),
    );
  });

  it.each(Object.entries(byName).filter(([name]) => name !== "kl"))("%s is symmetric", (_, statistic) => {
    fc.assert(
      fc.property(counts, counts, (a, b) => expectRelative(statistic(a, b) + 1, statistic(b, a) + 1, 1e-9)),
    );
  });

  it("kl is not symmetric, and PSI is the sum of both directions", () => {
    expect(kl([50, 50], [90, 10])).not.toBeCloseTo(kl([90, 10], [50, 50]), 2);
    fc.assert(
      fc.property(counts, counts, (a, b) => expectRelative(1 + kl(a, b) + kl(b, a), 1 + psi(a, b), 1e-9)),
    );
  });

  it.each(blindToOrder)("%s does not depend on the order of the bins", (name) => {
    fc.assert(
      fc.property(counts, counts, order, (a, b, by) =>
        expectRelative(1 + byName[name](arranged(a, by), arranged(b, by)), 1 + byName[name](a, b), 1e-9),
      ),
    );
  });

  it.each(bounded)("%s lies in [0, 1]", (name) => {
    fc.assert(
      fc.property(counts, counts, (a, b) => {
        expect(byName[name](a, b)).toBeGreaterThanOrEqual(0);
        expect(byName[name](a, b)).toBeLessThanOrEqual(1 + 1e-12);
      }),
    );
  });

  it.each(bounded)("%s keeps the triangle inequality", (name) => {
    fc.assert(
      fc.property(counts, counts, counts, (a, b, c) => {
        expect(byName[name](a, c)).toBeLessThanOrEqual(byName[name](a, b) + byName[name](b, c) + 1e-7);
      }),
    );
  });

  it("PSI is 0 only for equal shares (above the floor) and never below", () => {
    const filled = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: BINS, maxLength: BINS });
    fc.assert(
      fc.property(filled, filled, (a, b) => {
        const sumA = a.reduce((sum, count) => sum + count, 0);
        const sumB = b.reduce((sum, count) => sum + count, 0);
        const equal = a.every((count, i) => count * sumB === (b[i] ?? 0) * sumA);
        expect(psi(a, b) > 1e-13).toBe(!equal);
        expect(psi(a, b)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("distances keep their order: tvd between the squared Hellinger distance and its root, ks and l-infinity below tvd", () => {
    fc.assert(
      fc.property(counts, counts, (a, b) => {
        const h = hellinger(a, b);
        const v = tvd(a, b);
        expect(v).toBeGreaterThanOrEqual(h * h - 1e-12);
        expect(v).toBeLessThanOrEqual(Math.SQRT2 * h + 1e-12);
        expect(ksFromBins(a, b)).toBeLessThanOrEqual(v + 1e-12);
        expect(lInfinity(a, b)).toBeLessThanOrEqual(v + 1e-12);
      }),
    );
  });
});
