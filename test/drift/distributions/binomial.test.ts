import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  binomialProbability,
  binomialUpperTail,
  wilsonInterval,
} from "../../../drift/distributions/binomial.ts";
import { expectRelative } from "../expect-relative.ts";

describe("binomial", () => {
  it.each([
    // scipy 1.10.1: stats.binom.sf(k - 1, n, p)
    [7, 200, 0.01, 0.004295542328851564],
    [0, 10, 0.1, 1],
    [10, 10, 0.5, 0.0009765625],
    [300, 10_000, 0.02, 1.617878396726784e-11],
    [3, 7, 0.4, 0.5800960000000001],
    [900, 1_000, 0.5, 6.701717790006182e-162],
    [1, 5, 1e-9, 4.99999999e-9],
    [100_500, 10_000_000, 0.01, 0.05628709204638272],
    [5_002_000, 10_000_000, 0.5, 0.10300830139754776],
    [4_990_000, 10_000_000, 0.5, 0.99999999987328],
    [5_001, 10_000_000, 0.0005, 0.4962388321115572],
  ])("at least %d of %d with probability %d: %d", (k, n, p, expected) => {
    expectRelative(binomialUpperTail(k, n, p), expected, 1e-11);
  });

  it("has single probabilities that add up to its tail", () => {
    const trials = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(trials, fc.nat(60), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (n, k, p) => {
        let sum = 0;
        for (let i = Math.min(k, n); i <= n; i += 1) sum += binomialProbability(i, n, p);
        expectRelative(binomialUpperTail(Math.min(k, n), n, p), sum, 1e-12);
      }),
    );
  });

  it.each([
    [0, 5, 0, 1],
    [1, 5, 0, 0],
    [5, 5, 1, 1],
    [6, 5, 0.5, 0],
    [0, 0, 0.5, 1],
    [2.5, 5, 0.5, 0.5], // at least 3
  ])("at least %d of %d with probability %d: %d", (k, n, p, expected) => {
    expect(binomialUpperTail(k, n, p)).toBeCloseTo(expected, 14);
  });

  it.each([
    // scipy 1.10.1: binomtest(k, n).proportion_ci(confidence, method="wilson")
    [2, 200, 0.95, 0.002746658133544435, 0.0357217617161768],
    [0, 10, 0.95, 0, 0.27753279986288926],
    [10, 10, 0.99, 0.6011459066950919, 1],
    [5, 20, 0.9, 0.12737716852035774, 0.4322017501601245],
    [123_456, 1_000_000, 0.95, 0.12281269653142284, 0.12410219641400437],
  ])("Wilson's interval of %d of %d at %d is %d to %d", (k, n, confidence, low, high) => {
    const interval = wilsonInterval(k, n, confidence);
    expectRelative(interval.low, low, 1e-12);
    expectRelative(interval.high, high, 1e-12);
  });

  it.each([
    { call: () => binomialUpperTail(1, 1.5, 0.5), says: "1.5 trials" },
    { call: () => binomialUpperTail(1, 2, -0.1), says: "probability -0.1" },
    { call: () => binomialUpperTail(Number.NaN, 2, 0.1), says: "k is NaN" },
    { call: () => wilsonInterval(3, 2, 0.9), says: "3 of 2" },
    { call: () => wilsonInterval(1, 2, 1), says: "confidence 1" },
  ])("refuses: $says", ({ call, says }) => {
    expect(call).toThrow(new RegExp(says));
  });
});
