import { describe, expect, it } from "vitest";
import { seriesOf } from "../../app/build-baseline.ts";

const at = (text: string) => new Date(`2026-01-${text}Z`);
const day = (date: string, count: number) => ({
  column: "amount",
  start: at(`${date}T00:00`),
  missing: 0,
  counts: [count],
});
const days = [day("01", 90), day("02", 100), day("04", 100), day("05", 30)];

describe("the baseline over its own time", () => {
  it.each([
    { from: "01T00:00", to: "05T23:59", kept: [90, 100, 0, 100, 30], because: "all days are whole" },
    { from: "01T01:00", to: "05T22:30", kept: [90, 100, 0, 100, 30], because: "nine tenths are enough" },
    { from: "01T05:00", to: "05T23:59", kept: [100, 0, 100, 30], because: "the first day is a part of one" },
    { from: "01T00:00", to: "05T09:00", kept: [90, 100, 0, 100], because: "the last day is a part of one" },
    { from: "01T00:00", to: "05T00:00", kept: [90, 100, 0, 100, 30], because: "its times are dates" },
    { from: "01T13:00", to: "05T11:00", kept: [100, 0, 100], because: "both ends are parts" },
  ])("from $from to $to: $because", ({ from, to, kept }) => {
    const series = seriesOf("day", days, { from: at(from), to: at(to) }).get("amount");
    expect(series?.counts.map(([count]) => count)).toEqual(kept);
  });

  it("has nothing to say of data shorter than a block", () => {
    const range = { from: at("01T10:00"), to: at("01T15:00") };
    expect(seriesOf("day", [day("01", 90)], range)).toEqual(new Map());
  });
});
