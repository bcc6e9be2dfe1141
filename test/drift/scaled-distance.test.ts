import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { coarsen } from "../../drift/bins.ts";
import { pool, poolingFor } from "../../drift/groups.ts";
import { effectiveSize, scaledDistance, total } from "../../drift/scaled-distance.ts";

describe("the scaled distance", () => {
  it.each([
    // scipy 1.10: 8 * n m / (n + m) * scipy.spatial.distance.jensenshannon(p, q) ** 2 (natural logarithm)
    { reference: [50, 50], current: [60, 40], expected: 2.0238 },
    { reference: [100, 100, 100], current: [30, 30, 30], expected: 0 },
    { reference: [10, 0], current: [0, 10], expected: 40 * Math.log(2) },
    { reference: [0, 0], current: [1, 1], expected: 0 },
  ])("$reference against $current is $expected", ({ reference, current, expected }) => {
    expect(scaledDistance(reference, current)).toBeCloseTo(expected, 3);
  });

  it("is close to Pearson's chi-square where both are small", () => {
    const reference = [1_000, 1_000, 1_000];
    const current = [350, 330, 320];
    const pooled = [1_350, 1_330, 1_320].map((count) => count / 4_000);
    const pearson = pooled.reduce(
      (sum, p, i) =>
        sum +
        ((reference[i] ?? 0) - 3_000 * p) ** 2 / (3_000 * p) +
        ((current[i] ?? 0) - 1_000 * p) ** 2 / (1_000 * p),
      0,
    );
    expect(scaledDistance(reference, current)).toBeCloseTo(pearson, 2);
  });

  const counts = fc.array(fc.nat(1_000), { minLength: 3, maxLength: 3 });
  it("is symmetric, never negative, and 0 for equal shares", () => {
    fc.assert(
      fc.property(counts, counts, (a, b) => {
        expect(scaledDistance(a, b)).toBeGreaterThanOrEqual(0);
        expect(scaledDistance(a, b)).toBeCloseTo(scaledDistance(b, a), 8);
        expect(
          scaledDistance(
            a,
            a.map((count) => 3 * count),
          ),
        ).toBeCloseTo(0, 8);
      }),
    );
  });

  it("pooling bins never adds evidence", () => {
    fc.assert(
      fc.property(counts, counts, (a, b) => {
        const groups = [0, 1, 1];
        expect(scaledDistance(pool(a, groups), pool(b, groups))).toBeLessThanOrEqual(
          scaledDistance(a, b) + 1e-9,
        );
      }),
    );
  });

  it("refuses sides of different lengths", () => {
    expect(() => scaledDistance([1, 2], [1])).toThrow("2 reference bins but 1 current");
  });
});

describe("pooling and bins", () => {
  it("pools what is expected fewer than five times", () => {
    expect(poolingFor([50, 48, 1, 1], 100)).toEqual([0, 1, 2, 2]);
    expect(poolingFor([50, 48, 1, 1], 1_000_000)).toEqual([0, 1, 2, 2]); // the baseline is the smaller sample
    expect(poolingFor([5_000, 4_800, 100, 100], 10_000)).toEqual([0, 1, 2, 3]);
  });

  it("keeps the sum when pooling and when coarsening", () => {
    expect(total(pool([1, 2, 3, 4], [0, 1, 1, 0]))).toBe(10);
    expect(coarsen([1, 2, 3, 4, 5], [0, 1, 2, 3, 4], [0, 2, 4])).toEqual([6, 9]);
    expect(coarsen([1, 2, 3, 4], [0, 1, 2, 3], [0, 3])).toEqual([10]);
  });

  it("the effective size is that of the smaller sample when the other is large", () => {
    expect(effectiveSize(100, 1e9)).toBeCloseTo(100, 4);
    expect(effectiveSize(0, 0)).toBe(0);
  });
});
