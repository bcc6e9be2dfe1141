import { describe, expect, it } from "vitest";
import { alphaPerWindow, budgetOf } from "../../drift/budget.ts";

const DAY = 86_400_000;

describe("the budget of false alarms", () => {
  it.each([
    { text: "0.01", window: undefined, alpha: 0.01 },
    { text: "0.01", window: DAY, alpha: 0.01 },
    { text: "1/30d", window: DAY, alpha: 1 / 30 },
    { text: "1/30d", window: DAY / 24, alpha: 1 / 720 },
    { text: "2/1w", window: DAY, alpha: 2 / 7 },
    { text: "5/1d", window: DAY, alpha: 0.5 }, // never certain
  ])("$text in windows of $window ms is $alpha per window", ({ text, window, alpha }) => {
    expect(alphaPerWindow(text, window)).toBeCloseTo(alpha, 12);
  });

  it.each(["0", "1", "-1", "often", "1/month", ""])('refuses "%s" and says what it expects', (text) => {
    expect(() => alphaPerWindow(text, DAY)).toThrow(/expected|duration/);
  });

  it("refuses a count per time where windows have no length", () => {
    expect(() => alphaPerWindow("1/30d", undefined)).toThrow("needs windows of a fixed length");
  });

  it("is stated in the result with its correction", () => {
    expect(budgetOf("1/30d", DAY)).toEqual({
      false_alarms: "1/30d",
      per_window: 1 / 30,
      correction: "holm",
      selection: "benjamini-hochberg",
    });
  });
});
