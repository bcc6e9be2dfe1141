import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binomialProbability } from "../../../drift/distributions/binomial.ts";
import { chiSquareSurvival } from "../../../drift/distributions/chi-square.ts";
import { kolmogorovSurvival } from "../../../drift/distributions/kolmogorov.ts";
import {
  binomialSample,
  multinomialSample,
  normalSample,
  seededRandom,
} from "../../../drift/distributions/random.ts";

/** One in ten thousand: the seeds are fixed, so a pass stays a pass. */
const UNLIKELY = 1e-4;

/** p-value of counts against probabilities, cells of fewer than five expected put together. */
function goodnessOfFit(counts: readonly number[], probabilities: readonly number[]): number {
  const draws = counts.reduce((sum, count) => sum + count, 0);
  let value = 0;
  let cells = 0;
  let observed = 0;
  let expected = 0;
  counts.forEach((count, i) => {
    observed += count;
    expected += draws * (probabilities[i] ?? 0);
    if (expected < 5 && i < counts.length - 1) return;
    value += (observed - expected) ** 2 / Math.max(expected, 1e-9);
    cells += 1;
    observed = 0;
    expected = 0;
  });
  return chiSquareSurvival(value, cells - 1);
}

describe("seeded randomness", () => {
  it("repeats for a seed and differs between seeds", () => {
    const draw = (seed: number) => Array.from({ length: 5 }, seededRandom(seed));
    expect(draw(42)).toEqual(draw(42));
    expect(draw(42)).not.toEqual(draw(43));
    expect(draw(2 ** 40 + 1)).not.toEqual(draw(1));
  });

  it("is uniform in [0, 1)", () => {
    const random = seededRandom(7);
    const values = Float64Array.from({ length: 100_000 }, random).sort();
    expect(values[0]).toBeGreaterThanOrEqual(0);
    expect(values[values.length - 1]).toBeLessThan(1);
    let gap = 0;
    values.forEach((value, i) => {
      gap = Math.max(gap, Math.abs(value - i / values.length), Math.abs(value - (i + 1) / values.length));
    });
    expect(kolmogorovSurvival(gap * Math.sqrt(values.length))).toBeGreaterThan(UNLIKELY);
  });

  it("draws normal numbers", () => {
    const random = seededRandom(11);
    const squares = Array.from({ length: 50_000 }, () => normalSample(random) ** 2);
    // P(Z^2 > x) is chi-square with one degree of freedom: uniform when looked up.
    const counts = new Array<number>(20).fill(0);
    for (const square of squares) {
      const cell = Math.min(19, Math.floor(chiSquareSurvival(square, 1) * 20));
      counts[cell] = (counts[cell] ?? 0) + 1;
    }
    expect(
      goodnessOfFit(
        counts,
        counts.map(() => 1 / 20),
      ),
    ).toBeGreaterThan(UNLIKELY);
  });

  it.each([
    { n: 12, p: 0.3 },
    { n: 80, p: 0.5 },
    { n: 400, p: 0.97 },
    { n: 1_000, p: 0.002 },
  ])("draws binomial counts of $n trials at $p as the distribution has them", ({ n, p }) => {
    const random = seededRandom(n);
    const counts = new Array<number>(n + 1).fill(0);
    for (let i = 0; i < 20_000; i += 1) {
      const drawn = binomialSample(random, n, p);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    expect(
      goodnessOfFit(
        counts,
        counts.map((_, k) => binomialProbability(k, n, p)),
      ),
    ).toBeGreaterThan(UNLIKELY);
  });

  it("draws binomial counts of ten million trials with their mean and variance", () => {
    const random = seededRandom(3);
    const n = 10_000_000;
    const draws = Array.from({ length: 2_000 }, () => binomialSample(random, n, 0.2));
    const squares = draws.reduce((sum, k) => sum + (k - 0.2 * n) ** 2 / (n * 0.2 * 0.8), 0);
    const mean = draws.reduce((sum, k) => sum + k - 0.2 * n, 0) / Math.sqrt(draws.length * n * 0.2 * 0.8);
    expect(chiSquareSurvival(squares, draws.length)).toBeGreaterThan(UNLIKELY);
    expect(chiSquareSurvival(squares, draws.length)).toBeLessThan(1 - UNLIKELY);
    expect(Math.abs(mean)).toBeLessThan(4);
  });

  it("draws multinomial counts that add up, never negative, and none where the share is 0", () => {
    const weights = fc
      .array(fc.nat(1_000), { minLength: 1, maxLength: 20 })
      .filter((all) => all.some((w) => w > 0));
    fc.assert(
      fc.property(fc.integer(), fc.nat(1_000_000), weights, (seed, rows, all) => {
        const sum = all.reduce((total, weight) => total + weight, 0);
        const counts = multinomialSample(
          seededRandom(seed),
          rows,
          all.map((weight) => weight / sum),
        );
        expect(counts).toHaveLength(all.length);
        expect(counts.reduce((total, count) => total + count, 0)).toBe(rows);
        expect(counts.every((count) => Number.isInteger(count) && count >= 0)).toBe(true);
        expect(counts.filter((count, i) => count > 0 && all[i] === 0)).toEqual([]);
      }),
    );
  });

  it("draws multinomial counts whose Pearson distance is chi-square", () => {
    const shares = [0.5, 0.25, 0.15, 0.1];
    const random = seededRandom(5);
    const counts = new Array<number>(20).fill(0);
    for (let i = 0; i < 4_000; i += 1) {
      const drawn = multinomialSample(random, 10_000, shares);
      const value = drawn.reduce(
        (sum, count, c) => sum + (count - 10_000 * (shares[c] ?? 0)) ** 2 / (10_000 * (shares[c] ?? 0)),
        0,
      );
      const cell = Math.min(19, Math.floor(chiSquareSurvival(value, 3) * 20));
      counts[cell] = (counts[cell] ?? 0) + 1;
    }
    expect(
      goodnessOfFit(
        counts,
        counts.map(() => 1 / 20),
      ),
    ).toBeGreaterThan(UNLIKELY);
  });
});
