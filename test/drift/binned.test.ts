import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allCategories, cumulativeCounts, hasBins, testCounts } from "../../drift/binned.ts";
import { qualityChecks } from "../../drift/quality.ts";
import { total } from "../../drift/scaled-distance.ts";
import { quantileEdges, quantileSorted } from "../../drift/statistics/quantile-edges.ts";
import { statisticsTable } from "../../drift/statistics-table.ts";
import {
  measuredNumbers,
  numericColumn,
  numericWindow,
  range,
  textColumn,
  textWindow,
  times,
} from "./columns.ts";

describe("bins of a numeric column", () => {
  it("are ten with a tenth of the baseline each, and values outside go to the end bins", () => {
    const baseline = numericColumn(range(101));
    expect(baseline.edges).toEqual(range(11, (i) => 10 * i));
    const { reference, current } = testCounts(baseline, numericWindow(baseline, [-5, 0, 10, 10.5, 100, 1e9]));
    expect(reference).toEqual([11, ...times(9, 10)]); // (lo, hi], the first with its lower edge
    expect(current).toEqual([3, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
  });

  it("are none where the baseline is constant or empty: single values are compared instead", () => {
    expect(hasBins(numericColumn(times(50, 3)))).toBe(false);
    expect(hasBins(numericColumn([]))).toBe(false);
    const constant = numericColumn(times(50, 3));
    const pair = cumulativeCounts(constant, numericWindow(constant, [2, 3, 3, 4, 5]));
    expect(pair).toEqual({ reference: [0, 50, 0], current: [1, 2, 2] });
  });

  it("lose no row, on either side", () => {
    const values = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(values, values, (before, now) => {
        const baseline = numericColumn(before);
        for (const count of [testCounts, cumulativeCounts] as const) {
          const pair = count(baseline, numericWindow(baseline, now));
          expect(total(pair.reference)).toBe(before.length);
          expect(total(pair.current)).toBe(now.length);
          expect(pair.current).toHaveLength(pair.reference.length);
          expect(Math.min(...pair.current)).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it("have quantiles as numpy 1.24 has them", () => {
    const some = [1, 2, 4, 8, 16];
    expect([0, 0.1, 0.25, 0.5, 0.9, 1].map((q) => quantileSorted(some, q))).toEqual([1, 1.4, 2, 4, 12.8, 16]);
    expect(quantileEdges([5, 5, 5, 5, 9], 4)).toEqual([5, 9]);
    expect(quantileSorted([-1.7e308, 1.7e308], 0.5)).toBe(0); // no overflow
    expect(() => quantileSorted([], 0.5)).toThrow("quantile of no values");
    expect(() => quantileSorted([1], 1.5)).toThrow("expected 0 to 1");
  });
});

describe("categories", () => {
  it("that the baseline has not seen have share 0 there, one by one", () => {
    const pair = allCategories(textColumn(["a", "a", "b"]), textWindow(["b", "c", "d", "d"]).counts);
    expect(pair).toEqual({ reference: [2, 1, 0, 0], current: [0, 1, 1, 2] });
  });

  it("beyond the two hundred listed are one, with whatever is new", () => {
    const baseline = textColumn(range(250).map((i) => `c${i}`));
    expect(baseline).toMatchObject({ other: 50, distinct: 250 });
    const pair = allCategories(baseline, textWindow(["new", "newer"]).counts);
    expect(pair.reference).toHaveLength(201);
    expect(pair.reference.at(-1)).toBe(50);
    expect(pair.current.at(-1)).toBe(2);
  });
});

describe("the table of statistics", () => {
  it("from counts on fine bins is close to that on rows", () => {
    const before = range(5_000, (i) => Math.sqrt(i));
    const now = range(3_000, (i) => Math.sqrt(i) * 1.2 + 3);
    const rows = measuredNumbers(before, now).statistics;
    const baseline = numericColumn(before);
    const bins = statisticsTable(baseline, numericWindow(baseline, now), undefined);
    expect(Math.abs((bins.ks?.value ?? 9) - (rows.ks?.value ?? 0))).toBeLessThan(0.011);
    expect(Math.abs((bins.wasserstein?.value ?? 9) / (rows.wasserstein?.value ?? 1) - 1)).toBeLessThan(0.02);
    expect(Math.abs((bins.energy?.value ?? 9) / (rows.energy?.value ?? 1) - 1)).toBeLessThan(0.02);
    expect(bins.psi).toEqual(rows.psi);
    expect(bins.cramer_von_mises).toBeNull();
  });

  it("of a constant baseline has no statistic on bins, and no normalized distance", () => {
    const { statistics, primary } = measuredNumbers(times(50, 3), [...times(25, 3), ...times(25, 4)]);
    expect(primary).toBe("ks");
    expect(statistics).toMatchObject({ psi: null, jensen_shannon: null, hellinger: null, kl: null });
    expect(statistics.ks?.value).toBe(0.5);
    expect(statistics.wasserstein).toMatchObject({ value: 0.5, normalized: null });
  });

  it("is empty where a side is", () => {
    expect(measuredNumbers([], [1]).statistics).toEqual({});
    expect(measuredNumbers([1, 2], [null]).statistics).toEqual({});
  });
});

describe("quality checks", () => {
  const calm = { missingEvidence: "as-before", stuck: "varying" } as const;
  const faults = (checks: ReturnType<typeof qualityChecks>) =>
    checks.filter(({ verdict }) => verdict === "quality").map(({ check }) => check);
  const numbers = numericColumn(range(1_000));

  it.each([
    { what: "nothing amiss", now: range(1_000), expected: [] },
    {
      what: "a twentieth outside the range",
      now: [...range(950), ...times(50, 5_000)],
      expected: ["out_of_range"],
    },
    { what: "a single value outside", now: [...range(999), 5_000], expected: [] },
    { what: "words", now: [...range(900), ...times(100, "x")], expected: ["type_mismatch"] },
    { what: "no value", now: times(10, null), expected: ["empty"] },
    { what: "no row", now: [], expected: [] },
  ])("$what", ({ now, expected }) => {
    const checks = qualityChecks(numbers, numericWindow(numbers, now), calm);
    expect(faults(checks)).toEqual(expected);
    for (const { verdict, reason } of checks) expect(reason === undefined).toBe(verdict === "stable");
  });

  it("pass on what the tests of the window have found", () => {
    const window = numericWindow(numbers, [...range(10), null]);
    expect(faults(qualityChecks(numbers, window, { missingEvidence: "grown", stuck: "stuck" }))).toEqual([
      "missing",
      "constant",
    ]);
  });

  it("name unseen categories, the most frequent first, cut short where they are long", () => {
    const window = textWindow([...times(50, "a"), ...times(2, "new"), "x".repeat(500)]);
    const found = qualityChecks(textColumn(["a", "b"]), window, calm).find(
      ({ check }) => check === "new_categories",
    );
    expect(found?.verdict).toBe("quality");
    expect(found?.reason).toBe(
      `5.7 % in categories not listed in the baseline, such as "new", "${"x".repeat(60)}"`,
    );
  });
});
