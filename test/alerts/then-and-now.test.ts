import { describe, expect, it } from "vitest";
import { figures, inOneFigure, movedMost, percent, showNumber } from "../../alerts/then-and-now.ts";
import type { ColumnResult } from "../../schema/drift-result.ts";
import { distanceInKilometres, originShifted } from "./window-result.ts";

describe("then and now", () => {
  it("compares mean, spread, range and missing values", () => {
    expect(figures(distanceInKilometres)).toEqual([
      { name: "mean", before: "726.4", now: "1,169.1", change: "+60.9 %" },
      { name: "standard deviation", before: "571.1", now: "919.1", change: "+60.9 %" },
      { name: "lowest", before: "21", now: "34", change: null },
      { name: "highest", before: "4,962", now: "7,985.6", change: null },
      { name: "missing", before: "0 %", now: "3.0 %", change: "+3.0 points" },
    ]);
  });

  it("shows the shares that moved most, the largest move first", () => {
    expect(
      movedMost(distanceInKilometres, 2).map(({ label, before, now }) => [
        label,
        percent(before),
        percent(now),
      ]),
    ).toEqual([
      ["above 900", "30.0 %", "60.8 %"],
      ["up to 400", "30.0 %", "8.2 %"],
    ]);
    expect(movedMost(originShifted, 9).map(({ label }) => label)).toEqual(["ATL", "DFW", "ORD"]);
  });

  it("has nothing to say without both sides", () => {
    expect(figures({ ...originShifted, current: null })).toEqual([]);
    expect(movedMost({ ...originShifted, baseline: null }, 3)).toEqual([]);
  });

  it("gives a factor where the change is tenfold, and none where there was nothing", () => {
    const side = { count: 10, missing: 0 };
    const mean = (before: number, now: number) =>
      figures({
        ...originShifted,
        type: "numeric",
        baseline: { ...side, mean: before },
        current: { ...side, mean: now },
      })[0];
    expect(mean(2, 2_000)?.change).toBe("× 1,000");
    expect(mean(5, 0.01)?.change).toBe("× 0.002");
    expect(mean(0, 3)?.change).toBeNull();
    expect(mean(-1, 3)?.change).toBeNull();
    expect(mean(4, 3)?.change).toBe("−25.0 %");
  });

  it("shows times of timestamp columns as times", () => {
    const side = { count: 10, missing: 0 };
    const [mean] = figures({
      ...originShifted,
      type: "timestamp",
      baseline: { ...side, mean: 0 },
      current: { ...side, mean: 986_083_200 },
    });
    expect(mean).toEqual({
      name: "mean",
      before: "1970-01-01 00:00Z",
      now: "2001-04-01 00:00Z",
      change: null,
    });
  });

  it.each([
    { value: 0, shown: "0" },
    { value: 0.123_456, shown: "0.1235" },
    { value: 1_234.567, shown: "1,234.6" },
    { value: 1_234_567, shown: "1,234,567" },
    { value: 0.000_012_3, shown: "1.23e-5" },
    { value: Number.POSITIVE_INFINITY, shown: "Infinity" },
  ])("writes $value as $shown", ({ value, shown }) => {
    expect(showNumber(value)).toBe(shown);
  });
});

describe("a change in one figure", () => {
  const { baseline, current } = distanceInKilometres;
  it.each([
    { column: distanceInKilometres, name: "mean", now: "1,169.1" },
    { column: originShifted, name: "share of ATL", now: "25.0 %" },
    {
      column: { ...distanceInKilometres, current: { ...current, mean: 740 } },
      name: "share of above 900",
      now: "60.8 %",
    },
    {
      column: { ...distanceInKilometres, cause: { kind: "missing", detail: "" } },
      name: "missing",
      now: "3.0 %",
    },
    { column: { ...distanceInKilometres, current: baseline }, name: "mean", now: "726.4" },
  ])("is the $name", ({ column, name, now }) => {
    expect(inOneFigure(column as ColumnResult)).toMatchObject({ name, now }); // parts of a column as it is, changed
  });

  it("is none where there is nothing to compare", () => {
    expect(inOneFigure({ ...originShifted, current: null })).toBeNull();
  });
});
