import { describe, expect, it } from "vitest";
import { cramerVonMisesSurvival } from "../../../drift/distributions/cramer-von-mises.ts";
import { expectRelative } from "../expect-relative.ts";

describe("the limit of the Cramér–von Mises statistic", () => {
  it.each([
    // mpmath 1.4, 60 digits: one minus the series of Csörgő and Faraway (1996); scipy 1.10.1 agrees where p > 1e-6
    [0.02, 0.9969993856983981],
    [0.1, 0.5848734384067948],
    [0.2, 0.26747043054077485],
    [0.3, 0.1351712688051058],
    [0.39, 0.0767891948902916],
    [0.41, 0.06799452613765687],
    [0.46136, 0.05000038313265128],
    [1, 0.0024604521801339639],
    [2, 1.2780736172781673e-5],
    [4, 4.734453032275372e-10],
    [10, 4.1789410928852881e-23],
    [20, 1.0972093165653867e-44],
  ])("passes %d with probability %d", (x, expected) => {
    expectRelative(cramerVonMisesSurvival(x), expected, 1e-13 * (1 + 10 * x));
  });

  it("falls without a step where one series takes over from the other", () => {
    const step = 1e-9;
    const slope = cramerVonMisesSurvival(0.4 - step) - cramerVonMisesSurvival(0.4);
    const next = cramerVonMisesSurvival(0.4) - cramerVonMisesSurvival(0.4 + step);
    expectRelative(slope, next, 1e-3);
  });

  it("knows the ends", () => {
    expect(cramerVonMisesSurvival(0)).toBe(1);
    expect(cramerVonMisesSurvival(1e4)).toBe(0);
    expect(cramerVonMisesSurvival(1e-9)).toBe(1);
    expect(() => cramerVonMisesSurvival(Number.NaN)).toThrow("x is NaN");
  });
});
