import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deviance, gammaKernel, logGamma, stirlingError } from "../../../drift/distributions/gamma.ts";
import { expectRelative } from "../expect-relative.ts";

describe("the gamma function and its parts", () => {
  it.each([
    [0.5, Math.log(Math.PI) / 2],
    [5, Math.log(24)],
    [0.01, 4.599479878042022], // scipy 1.10.1: special.gammaln
    [1e7, 151180949.36947393],
  ])("ln Gamma(%d) is %d", (x, expected) => {
    expectRelative(logGamma(x), expected, 1e-14);
  });

  it("is its own recurrence", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 1e6, noNaN: true }), (x) => {
        expect(Math.abs(logGamma(x + 1) - logGamma(x) - Math.log(x))).toBeLessThan(
          4e-15 * (10 + Math.abs(logGamma(x + 1))),
        );
      }),
    );
  });

  it("has a remainder of Stirling's formula without a step at its series", () => {
    expectRelative(stirlingError(15 - 1e-9), stirlingError(15), 1e-9);
    expectRelative(stirlingError(1), 1 - Math.log(2 * Math.PI) / 2, 1e-13); // ln 1! = 0
  });

  it("has a deviance of nothing at its mean, and of the square of a small step near it", () => {
    expect(deviance(7, 7)).toBe(0);
    expectRelative(deviance(1e8 + 1, 1e8), 1 / 2e8, 1e-7);
    expectRelative(deviance(2, 1), 2 * Math.log(2) - 1, 1e-14);
  });

  it.each([
    // x^a e^-x / Gamma(a), by mpmath 1.4
    [1, 2, 2 * Math.exp(-2)],
    [0.25, 0.5, (Math.sqrt(Math.sqrt(0.5)) * Math.exp(-0.5)) / 3.625609908221908],
    [10, 10, 1.2511003572113328],
  ])("the kernel of %d at %d is %d", (a, x, expected) => {
    expectRelative(gammaKernel(a, x), expected, 1e-13);
  });

  it("refuses what is not above 0", () => {
    expect(() => logGamma(0)).toThrow("0, expected a positive number");
  });
});
