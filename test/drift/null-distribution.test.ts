import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { multinomialSample, seededRandom } from "../../drift/distributions/random.ts";
import {
  type CalibrationWindow,
  criticalDistance,
  independentNull,
  nearSize,
  pValueOf,
  windowsNull,
} from "../../drift/null-distribution.ts";
import { scaledDistance } from "../../drift/scaled-distance.ts";
import { expectRelative } from "./expect-relative.ts";

const even = [1_000, 1_000, 1_000, 1_000];
const SIZES = { size: 400, baselineRows: 4_000 };

/** Windows of one kind of day and another, more apart from each other than chance: `sway` is added to and taken from the ends. */
function windows(count: number, sway: number): CalibrationWindow[] {
  const random = seededRandom(11);
  return Array.from({ length: count }, (_, i) => {
    const by = i % 2 === 0 ? sway : -sway;
    return {
      counts: multinomialSample(random, 400, [0.25 + by, 0.25, 0.25, 0.25 - by]),
      reference: even.map((x) => x - 100),
    };
  });
}

describe("the null of independent rows", () => {
  it("is chi-square with one degree of freedom less than bins where every count is large", () => {
    const nothing = independentNull(even, 400);
    expect(nothing).toMatchObject({
      method: "independent",
      mean: 3,
      variance: 6,
      degrees_of_freedom: 3,
      design_effect: 1,
    });
    expectRelative(criticalDistance(0.05, nothing), 7.814727903251179, 1e-9); // scipy 1.10.1: chi2.isf(0.05, 3)
    expectRelative(pValueOf(7.814727903251179, nothing), 0.05, 1e-9);
  });

  it("is resampled where counts are small, the same every time and never sharper than chi-square", () => {
    const nothing = independentNull([90, 5, 3, 2], 30);
    expect(nothing).toEqual(independentNull([90, 5, 3, 2], 30));
    expect(nothing.mean).toBeGreaterThanOrEqual(3);
    expect(nothing.degrees_of_freedom).toBeLessThanOrEqual(3);
  });

  it("keeps its promise: one window in twenty passes the value for 5 %", () => {
    const random = seededRandom(5);
    const shares = [0.4, 0.3, 0.2, 0.1];
    const rounds = 2_000;
    let passed = 0;
    for (let i = 0; i < rounds; i += 1) {
      const reference = multinomialSample(random, 2_000, shares);
      const distance = scaledDistance(reference, multinomialSample(random, 500, shares));
      if (pValueOf(distance, independentNull(reference, 500)) <= 0.05) passed += 1;
    }
    expect(passed / rounds).toBeGreaterThan(0.03);
    expect(passed / rounds).toBeLessThan(0.07);
  });
});

describe("the null of the baseline's own windows", () => {
  it("needs eight windows", () => {
    expect(() => windowsNull(windows(7, 0), independentNull(even, 400), SIZES)).toThrow(
      "7 windows, at least 8 are needed",
    );
  });

  it("is that of independent rows, or more careful, where windows differ by chance only", () => {
    const sampling = independentNull(even, 400);
    const nothing = windowsNull(windows(40, 0), sampling, SIZES);
    expect(nothing.windows).toBe(40);
    expect(nothing.mean).toBeGreaterThanOrEqual(sampling.mean);
    expect(nothing.design_effect).toBeLessThan(1.5);
  });

  it("widens where windows differ from each other, and more for longer ones", () => {
    const sampling = independentNull(even, 400);
    const nothing = windowsNull(windows(40, 0.1), sampling, SIZES);
    expect(nothing.design_effect).toBeGreaterThan(5);
    const longer = windowsNull(windows(40, 0.1), sampling, { size: 2_000, baselineRows: 4_000 });
    expect(longer.mean).toBeGreaterThan(nothing.mean);
  });

  it("calls nothing rare that the baseline itself has done", () => {
    const all = windows(40, 0.1);
    const nothing = windowsNull(all, independentNull(even, 400), SIZES);
    for (const ratio of nothing.ratios)
      expect(pValueOf(ratio * nothing.mean, nothing)).toBeGreaterThanOrEqual(2 / 41 - 1e-12);
  });
});

it("within the range of the baseline's windows p is what they support, the window itself counted", () => {
  const nothing = { ...independentNull(even, 400), ratios: [0.5, 1, 50] };
  expect(pValueOf(50 * nothing.mean, nothing)).toBe(2 / 4);
  expect(pValueOf(30 * nothing.mean, nothing)).toBe(2 / 4);
  expect(pValueOf(51 * nothing.mean, nothing)).toBeLessThanOrEqual(1 / 4);
});

describe("p-values and critical distances", () => {
  const nulls = [
    independentNull(even, 400),
    independentNull([90, 5, 3, 2], 30),
    windowsNull(windows(40, 0.1), independentNull(even, 400), SIZES),
    windowsNull(windows(9, 0.02), independentNull(even, 400), SIZES),
  ];

  it.each(nulls.map((nothing, i) => [i, nothing] as const))(
    "null %d: p falls with the distance",
    (_, nothing) => {
      fc.assert(
        fc.property(
          fc.double({ min: 0, max: 200, noNaN: true }),
          fc.double({ min: 0, max: 200, noNaN: true }),
          (a, b) => {
            const [near, far] = [Math.min(a, b), Math.max(a, b)];
            expect(pValueOf(far, nothing)).toBeLessThanOrEqual(pValueOf(near, nothing) * (1 + 1e-9));
            expect(pValueOf(far, nothing)).toBeGreaterThanOrEqual(0);
            expect(pValueOf(near, nothing)).toBeLessThanOrEqual(1);
          },
        ),
      );
    },
  );

  it.each(nulls.map((nothing, i) => [i, nothing] as const))(
    "null %d: beyond the critical distance p is at most alpha",
    (_, nothing) => {
      fc.assert(
        fc.property(fc.double({ min: 1e-6, max: 0.3, noNaN: true }), (alpha) => {
          const critical = criticalDistance(alpha, nothing);
          expect(pValueOf(critical * (1 + 1e-9) + 1e-12, nothing)).toBeLessThanOrEqual(alpha * (1 + 1e-6));
        }),
      );
    },
  );

  it.each(nulls.map((nothing, i) => [i, nothing] as const))(
    "null %d: no distance is no evidence",
    (_, nothing) => {
      expect(pValueOf(0, nothing)).toBe(1);
      expect(pValueOf(Number.NaN, nothing)).toBe(1);
      expect(pValueOf(1e9, nothing)).toBeLessThan(1e-10);
    },
  );
});

it("sizes within a hundredth share what was resampled", () => {
  expect(nearSize(7)).toBe(7);
  expect(nearSize(50)).toBe(50);
  fc.assert(
    fc.property(fc.integer({ min: 51, max: 1e8 }), (size) => {
      expect(Math.abs(nearSize(size) / size - 1)).toBeLessThan(0.02);
      expect(nearSize(nearSize(size))).toBe(nearSize(size));
    }),
  );
});
