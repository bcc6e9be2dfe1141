import { describe, expect, it } from "vitest";
import { alignedDivergence, type TfdvHistogram, tfdv } from "../../drift/presets/tfdv.ts";
import { haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { expectRelative } from "./expect-relative.ts";
import { column, counted, numbers, readBikes } from "./preset-columns.ts";

const histogram = (edges: number[], counts: number[], more: Partial<TfdvHistogram> = {}): TfdvHistogram => ({
  edges,
  counts,
  nan: 0,
  infinite: 0,
  ...more,
});

describe("TFDV's own examples (anomalies/metrics_test.cc)", () => {
  it.each([
    {
      name: "the same statistics",
      a: histogram([1, 2, 3], [3, 1]),
      b: histogram([1, 2, 3], [3, 1]),
      want: 0,
    },
    {
      name: "different boundaries",
      a: histogram([1, 2, 3], [2, 2]),
      b: histogram([2, 4, 6], [2, 2]),
      want: 0.65563906222,
    },
    { name: "no overlap", a: histogram([0, 1, 2], [2, 2]), b: histogram([3, 4, 6], [2, 2]), want: 1 },
    { name: "a point and buckets", a: histogram([1, 1], [4]), b: histogram([2, 4, 6], [2, 2]), want: 1 },
    { name: "two points", a: histogram([1, 1], [4]), b: histogram([2.33, 2.33], [4]), want: 1 },
    {
      name: "NaN on one side",
      a: histogram([1, 2], [3], { nan: 1 }),
      b: histogram([1, 2], [4]),
      want: 0.13792538096,
    },
  ])("$name: $want", ({ a, b, want }) => {
    expect(alignedDivergence(a, b)).toBeCloseTo(want, 10);
    expect(alignedDivergence(b, a)).toBeCloseTo(want, 10);
  });

  it.each([
    { a: { hello: 1, world: 9 }, b: { hello: 3, world: 7 }, want: 0.2 },
    { a: { b: 9, c: 1 }, b: { a: 3, b: 7 }, want: 0.3 },
  ])("L-infinity of $a and $b is $want", ({ a, b, want }) => {
    const found = tfdv.judge(column(counted(a), counted(b)));
    expect(found.primary).toBe("l_infinity");
    expect(found.distance?.value).toBeCloseTo(want, 12);
    expect(found.verdict).toBe("stable"); // 0.3 is not above 0.3
  });
});

describe.skipIf(!haveFixtures)(
  `numpy's answers by TFDV's definitions (${haveFixtures ? "reference data found" : WITHOUT_FIXTURES})`,
  () => {
    // numpy 2.3, scipy 1.17.1; 2011 against January 2012 of the bike data. Per side e = np.linspace(min, max, 11) and
    //   c = np.concatenate([[0], np.searchsorted(sorted, e[1:], "right")]) / n; g = np.union1d(e1, e2);
    //   jensenshannon(np.diff(np.interp(g, e1, c1)), np.diff(np.interp(g, e2, c2)), base=2) ** 2
    const NUMERIC = [
      { of: "temp", divergence: 0.3174433690123618 },
      { of: "hum", divergence: 0.04284643474388887 },
      { of: "windspeed", divergence: 0.025291441521894793 },
      { of: "cnt", divergence: 0.015079804445444833 },
      { of: "hr", divergence: 1.1471991212236917e-5 },
    ] as const;
    const CATEGORICAL = [
      { of: "season", linf: 0.7607865818392134, divergence: 0.5614544314986579 },
      { of: "weathersit", linf: 0.017389627915943673, divergence: 0.0015327594542231461 },
    ] as const;
    const bikes = haveFixtures ? readBikes() : undefined;
    const split = (name: string) => {
      if (!bikes) throw new Error("no data");
      const values = bikes.of(name);
      const at = (i: number) => bikes.timestamp[i] ?? "";
      return [
        values.filter((_, i) => at(i) < "2012"),
        values.filter((_, i) => at(i) >= "2012" && at(i) < "2012-02"),
      ] as const;
    };

    it.each(NUMERIC)("$of: $divergence", ({ of, divergence }) => {
      const [before, now] = split(of);
      const found = tfdv.judge(column(numbers(before.map(Number)), numbers(now.map(Number))));
      expect(found.primary).toBe("jensen_shannon");
      expectRelative(found.distance?.value as number, divergence, 1e-9);
      expect(found.verdict).toBe(divergence > 0.3 ? "drifted" : "stable");
    });

    it.each(CATEGORICAL)("$of: $linf", ({ of, linf, divergence }) => {
      const count = (values: readonly string[]) => {
        const counts: Record<string, number> = {};
        for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
        return counted(counts);
      };
      const [before, now] = split(of);
      const found = tfdv.judge(column(count(before), count(now)));
      expectRelative(found.distance?.value as number, linf);
      expectRelative(found.statistics.jensen_shannon?.value as number, divergence);
    });
  },
);

describe("TFDV's rule", () => {
  it("lets infinite values and NaN of both sides never meet", () => {
    const side = numbers([1, 2, 3, Number.NaN, Number.POSITIVE_INFINITY]);
    const found = tfdv.judge(column(side, side));
    expect(found.distance?.value).toBeCloseTo(0.4, 12); // two fifths of each side are apart
    expect(found.verdict).toBe("drifted");
  });

  it("compares the 1,000 most frequent categories", () => {
    const many = (rare: string) =>
      counted(
        Object.fromEntries(
          Array.from({ length: 1_500 }, (_, i) => [i < 1_000 ? `v${i}` : `${rare}${i}`, i < 1_000 ? 2 : 1]),
        ),
      );
    expect(tfdv.judge(column(many("a"), many("b"))).distance?.value).toBe(0);
  });

  it("says what it held against what, and compares no times", () => {
    const found = tfdv.judge(column(numbers([1, 1, 1]), numbers([2, 2])));
    expect(found.because).toBe("Jensen–Shannon divergence 1 (no square root), above 0.3");
    expect(tfdv.judge(column(numbers([1]), numbers([1]), { type: "timestamp" })).verdict).toBe("error");
    expect(tfdv.judgeDataset(1, 9).verdict).toBe("drifted");
    expect(tfdv.judgeDataset(0, 9).verdict).toBe("stable");
  });
});
