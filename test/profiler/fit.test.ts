import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pairedBootstrap } from "../../profiler/fit/bootstrap.ts";
import { fitContention } from "../../profiler/fit/contention.ts";
import { leakTest } from "../../profiler/fit/leak.ts";
import { fitLine, median, theilSen } from "../../profiler/fit/line.ts";
import { neededRequests, percentileRanks } from "../../profiler/fit/percentile-interval.ts";
import { simulateQuota } from "../../profiler/fit/quota-simulation.ts";
import { seededRandom } from "../../profiler/seeded-random.ts";

const number = fc.double({ min: -100, max: 100, noNaN: true });

describe("a line", () => {
  it("gives back the line that points lie on, by both ways", () => {
    fc.assert(
      fc.property(number, number, fc.integer({ min: 3, max: 20 }), (intercept, slope, count) => {
        const points = Array.from({ length: count }, (_, x) => ({ x, y: intercept + slope * x }));
        for (const line of [fitLine(points), theilSen(points)]) {
          expect(line.slope).toBeCloseTo(slope, 6);
          expect(line.intercept).toBeCloseTo(intercept, 6);
          expect(line.slopeInterval[0]).toBeLessThanOrEqual(line.slope + 1e-9);
          expect(line.slopeInterval[1]).toBeGreaterThanOrEqual(line.slope - 1e-9);
        }
      }),
    );
  });

  it("agrees with Anscombe's first set: y = 3 + 0.5 x, R² 0.67, standard error of the slope 0.118", () => {
    const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
    const y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
    const line = fitLine(x.map((at, i) => ({ x: at, y: y[i] as number })));
    expect(line.intercept).toBeCloseTo(3.0, 2);
    expect(line.slope).toBeCloseTo(0.5, 3);
    expect(line.rSquared).toBeCloseTo(0.667, 3);
    expect((line.slopeInterval[1] - line.slope) / 2.262).toBeCloseTo(0.118, 3);
  });

  it("counts a point with weight 2 as two points", () => {
    const points = [
      { x: 0, y: 1 },
      { x: 1, y: 4 },
      { x: 2, y: 5 },
    ];
    const doubled = fitLine([...points, { x: 2, y: 5 }]);
    const weighted = fitLine(points.map((point, i) => ({ ...point, weight: i === 2 ? 2 : 1 })));
    expect(weighted.slope).toBeCloseTo(doubled.slope, 10);
  });

  it("is not bent by a wild point when Theil and Sen draw it", () => {
    const points = Array.from({ length: 12 }, (_, x) => ({ x, y: x === 6 ? 500 : 2 * x }));
    expect(theilSen(points).slope).toBeCloseTo(2, 6);
    expect(Math.abs(fitLine(points).slope - 2)).toBeGreaterThan(0.5);
  });

  it("is refused when all x are the same", () => {
    const points = [
      { x: 1, y: 1 },
      { x: 1, y: 2 },
    ];
    expect(() => fitLine(points)).toThrow(RangeError);
    expect(() => theilSen(points)).toThrow(RangeError);
  });

  it.each([
    [[1], 1],
    [[1, 2], 1.5],
    [[1, 2, 9], 2],
  ])("the median of %j is %d", (values, middle) => expect(median(values)).toBe(middle));
});

describe("contention", () => {
  const curve = (g: number, a: number, b: number) =>
    [1, 2, 4, 8, 16, 32].map((c) => ({
      concurrency: c,
      rate: (g * c) / (1 + a * (c - 1) + b * c * (c - 1)),
    }));

  it("finds the parameters that made the curve", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 5_000, noNaN: true }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        fc.double({ min: 0, max: 0.05, noNaN: true }),
        (g, a, b) => {
          const fit = fitContention(curve(g, a, b));
          expect(fit?.single).toBeCloseTo(g, 2);
          expect(fit?.contention).toBeCloseTo(a, 4);
          expect(fit?.coherency).toBeCloseTo(b, 4);
        },
      ),
    );
  });

  it("tells how many callers are best: sqrt((1-a)/b)", () => {
    expect(fitContention(curve(100, 0.05, 0.002))?.peakConcurrency).toBeCloseTo(Math.sqrt(0.95 / 0.002), 1);
    expect(fitContention(curve(100, 0.05, 0))?.coherency).toBeCloseTo(0, 9);
  });

  it("says nothing on fewer than four points", () => {
    expect(fitContention(curve(100, 0, 0).slice(0, 3))).toBeUndefined();
  });
});

describe("a simulated CPU limit", () => {
  const p99 = (latencies: readonly number[]) => latencies[Math.ceil(latencies.length * 0.99) - 1] ?? 0;
  const run = (cpu: number, rate: number, demandMs = 5, parallel = 1) =>
    simulateQuota({ service: { demandMs, waitMs: 0, parallel }, cpu, rate, requests: 4_000, seed: 3 });

  it("takes the demand itself when nothing is in the way", () => {
    const latencies = run(2, 1);
    expect(latencies[2_000]).toBeCloseTo(5, 1);
  });

  it("agrees with Pollaczek and Khinchine on the mean wait without a limit", () => {
    // One thread, constant demand D = 10 ms, load 0.5: W = D + D·rho/(2(1-rho)) = 15 ms.
    const latencies = run(1, 50, 10);
    const mean = latencies.reduce((sum, ms) => sum + ms, 0) / latencies.length;
    expect(mean).toBeGreaterThan(14);
    expect(mean).toBeLessThan(16);
  });

  it("stands still for the rest of a period: a request of 30 ms on 0.2 cores takes 70 ms in the middle", () => {
    // 20 ms in the first period, 10 ms in the next.
    const latencies = run(0.2, 0.5, 30);
    expect(latencies[0]).toBeGreaterThanOrEqual(30 - 1e-6); // begun at the end of a period, with the budget of two
    expect(latencies[2_000]).toBeGreaterThan(60); // begun anywhere in a period: 30 to 110 ms, evenly
    expect(latencies[2_000]).toBeLessThan(80);
    expect(latencies.at(-1)).toBeGreaterThan(110);
  });

  it("is never worse for more CPU in its tail", () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 120 }), fc.integer({ min: 1, max: 6 }), (rate, demandMs) => {
        const tails = [0.3, 0.6, 1].map((cpu) => p99(run(cpu, rate, demandMs)));
        expect(tails).toEqual(tails.toSorted((a, b) => b - a));
      }),
      { numRuns: 20 },
    );
  });

  it("never ends for a service that cannot keep up, and says so with a minute and more", () => {
    expect(run(0.1, 100, 5).at(-1)).toBeGreaterThanOrEqual(60_000);
  });
});

describe("percentiles of a sample", () => {
  it.each([
    [1_000, 99, 982, 996],
    [1_000, 50, 468, 530],
    [100, 99, 96, undefined],
  ])("of %d: p%d lies between ranks %d and %s", (count, percentile, lower, upper) => {
    expect(percentileRanks(count, percentile)).toEqual({ lower, upper });
  });

  it("hold the true percentile about 95 times in 100", () => {
    const random = seededRandom(11);
    let held = 0;
    for (let round = 0; round < 400; round += 1) {
      const sample = Array.from({ length: 500 }, random).sort((a, b) => a - b);
      const { lower, upper = 499 } = percentileRanks(500, 90);
      if ((sample[lower] as number) <= 0.9 && (sample[upper] as number) >= 0.9) held += 1;
    }
    expect(held).toBeGreaterThan(370);
  });

  it.each([
    [99, 1_000],
    [99.9, 10_000],
    [50, 20],
  ])("p%d needs %d requests", (percentile, count) => expect(neededRequests(percentile)).toBe(count));
});

describe("a comparison of pairs", () => {
  const pairs = (shift: number, seed: number, n = 6) => {
    const random = seededRandom(seed);
    return Array.from({ length: n }, () => {
      const busy = 10 * random(); // what both windows of a pair share
      return { a: 20 + busy + random(), b: 20 + busy + random() + shift };
    });
  };

  it("sees a difference that the pairs share through what they do not", () => {
    expect(pairedBootstrap(pairs(5, 1), seededRandom(2)).verdict).toBe("a-smaller");
    expect(pairedBootstrap(pairs(-5, 1), seededRandom(2)).verdict).toBe("b-smaller");
  });

  it("says no difference in at least 90 of 100 comparisons of the same with the same", () => {
    const same = Array.from({ length: 100 }, (_, seed) =>
      pairedBootstrap(pairs(0, seed + 1), seededRandom(seed)),
    );
    expect(same.filter(({ verdict }) => verdict === "no-difference").length).toBeGreaterThanOrEqual(90);
  });

  it("is refused with fewer than three pairs", () => {
    expect(() => pairedBootstrap(pairs(0, 1, 2), seededRandom(1))).toThrow(RangeError);
  });
});

describe("a leak", () => {
  const MB = 1e6;
  const samples = (heldBytes: (requests: number) => number) =>
    Array.from({ length: 120 }, (_, i) => ({ requests: i * 50, heldBytes: heldBytes(i * 50) }));
  const noise = seededRandom(4);

  it.each([
    ["grows by 2 kB per request", (n: number) => 60 * MB + 2_000 * n, "leak-suspected"],
    ["grows and saws", (n: number) => 60 * MB + 2_000 * n + ((n / 50) % 7) * MB, "leak-suspected"],
    ["stays", () => 60 * MB + 100_000 * noise(), "none-seen"],
    ["saws", (n: number) => 60 * MB + ((n / 50) % 9) * MB, "none-seen"],
    ["grows at the beginning only", (n: number) => 60 * MB + Math.min(n, 1_500) * 5_000, "none-seen"],
    ["finds its size slowly", (n: number) => 60 * MB + 40 * MB * (1 - Math.exp(-n / 1_500)), "none-seen"],
    ["grows by two megabytes in all", (n: number) => 60 * MB + 500 * n, "none-seen"],
    ["grows by half a megabyte in all", (n: number) => 60 * MB + 120 * n, "none-seen"],
    ["grows by 20 B per request", (n: number) => 60 * MB + 20 * n, "none-seen"],
  ] as const)("memory that %s", (_, held, verdict) => {
    expect(leakTest(samples(held)).verdict).toBe(verdict);
  });

  it("cannot be told from a few requests", () => {
    expect(leakTest([{ requests: 0, heldBytes: 1 }]).verdict).toBe("too-short");
  });
});
