import { describe, expect, it } from "vitest";
import { distanceOfChance, sagemaker } from "../../drift/presets/sagemaker.ts";
import { haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { expectRelative } from "./expect-relative.ts";
import { column, counted, numbers, readBikes } from "./preset-columns.ts";

describe.skipIf(!haveFixtures)(
  `scipy's answers by SageMaker's definition (${haveFixtures ? "reference data found" : WITHOUT_FIXTURES})`,
  () => {
    // scipy 1.17.1, 2011 (n rows) against January 2012 (m rows) of the bike data:
    //   max(0, ks_2samp(r, k).statistic - 1.8 * math.sqrt((n + m) / (n * m)))
    const ANSWERS = [
      { of: "temp", robust: 0.4303863680224609 },
      { of: "hum", robust: 0.11209062867409006 },
      { of: "windspeed", robust: 0.01773936590177458 },
      { of: "cnt", robust: 0 },
      { of: "hr", robust: 0 },
    ] as const;
    const bikes = haveFixtures ? readBikes() : undefined;

    it.each(ANSWERS)("$of: $robust", ({ of, robust }) => {
      if (!bikes) throw new Error("no data");
      const values = bikes.of(of).map(Number);
      const at = (i: number) => bikes.timestamp[i] ?? "";
      const found = sagemaker.judge(
        column(
          numbers(values.filter((_, i) => at(i) < "2012")),
          numbers(values.filter((_, i) => at(i) >= "2012" && at(i) < "2012-02")),
        ),
      );
      expect(found.primary).toBe("ks");
      expectRelative(found.distance?.value as number, robust, 1e-12);
      expect(found.verdict).toBe(robust > 0.1 ? "drifted" : "stable");
    });
  },
);

describe("SageMaker's rule", () => {
  // deequ, KLLDistanceTest: categorical linf_simple 0.06015… and 0.28571…, less 1.8 sqrt((n + m) / (n m)) by hand.
  it.each([
    {
      a: { a: 1100, b: 2000, c: 2500, d: 1000, e: 1000 },
      b: { a: 1000, b: 2000, c: 2500, d: 1000, e: 500 },
      simple: 0.06015037593984962,
    },
    {
      a: { f: 1100, a: 2000, c: 2500, d: 1000, e: 1000 },
      b: { a: 1000, b: 2000, c: 2500, d: 1000, e: 500 },
      simple: 0.2857142857142857,
    },
  ])("takes chance off $simple", ({ a, b, simple }) => {
    const found = sagemaker.judge(column(counted(a), counted(b)));
    const chance = 1.8 * Math.sqrt((7600 + 7000) / (7600 * 7000));
    expect(found.primary).toBe("l_infinity");
    expectRelative(found.statistics.l_infinity?.value as number, simple - chance, 1e-12);
    expect(found.verdict).toBe(simple > 0.2 ? "drifted" : "stable");
    expect(found.because).toMatch(
      /^L-infinity distance 0\.\d+ \(0\.\d+ less 0\.0298 for chance\), (not )?above 0\.1$/,
    );
  });

  it("takes 1.8 sqrt((n + m) / (n m)) for chance", () => {
    // deequ, KLLDistanceTest: sizes 107 and 304, simple 0.475313…, robust by alpha = 0.003 0.27263380…; by c = 1.8 0.27298150…
    expectRelative(0.47531357599606494 - distanceOfChance({ n: 107, m: 304 }), 0.27298150100888496, 1e-12);
  });

  it("calls nothing among few rows", () => {
    const found = sagemaker.judge(column(numbers([1, 2, 3, 4]), numbers([11, 12, 13, 14])));
    expect(found).toMatchObject({ verdict: "stable", distance: { value: 0, limit: 0.1 } });
  });

  it("has violations by one feature, and compares no times", () => {
    expect(sagemaker.judgeDataset(1, 9).verdict).toBe("drifted");
    expect(sagemaker.judgeDataset(0, 9).verdict).toBe("stable");
    expect(sagemaker.judge(column(numbers([1]), numbers([1]), { type: "timestamp" })).verdict).toBe("error");
  });
});
