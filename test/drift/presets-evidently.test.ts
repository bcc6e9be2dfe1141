import { describe, expect, it } from "vitest";
import { ksExactP } from "../../drift/distributions/ks-exact.ts";
import { evidently } from "../../drift/presets/evidently.ts";
import type { Finding, PresetColumn } from "../../drift/presets/preset.ts";
import { haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { expectRelative } from "./expect-relative.ts";
import { categories, column, counted, numbers, readBikes, WHOLE } from "./preset-columns.ts";

const judge = (given: PresetColumn): Finding => evidently.judge(given);

describe("exact KS p-value", () => {
  // scipy 1.17.1: ks_2samp(method="exact"), through _attempt_exact_2kssamp(n, m, gcd, d, "two-sided")
  it.each([
    { d: 0.5, n: 10, m: 10, p: 0.16782134274394334 },
    { d: 0.3, n: 20, m: 15, p: 0.36311512914530186 },
    { d: 0.04, n: 1000, m: 3001, p: 0.17544703422349375 },
    { d: 0.2, n: 7, m: 5, p: 0.9974747474747474 },
    { d: 0.6, n: 5, m: 7, p: 0.16666666666666663 },
  ])("is $p for a distance of $d between $n and $m rows", ({ d, n, m, p }) => {
    expectRelative(ksExactP(d, n, m), p, 1e-12);
    expectRelative(ksExactP(d, m, n), p, 1e-12);
  });
  it("is 1 for no distance and refuses what is none", () => {
    expect(ksExactP(0, 3, 4)).toBe(1);
    expect(() => ksExactP(1.1, 3, 4)).toThrow(RangeError);
    expect(() => ksExactP(0.5, 0, 4)).toThrow(RangeError);
  });
});

describe.skipIf(!haveFixtures)(
  `Evidently's own answers for the bike data (${haveFixtures ? "reference data found" : WITHOUT_FIXTURES})`,
  () => {
    // evidently 0.7.23, numpy 2.3, pandas 2.3, scipy 1.17.1; 2011 ("large", or its first 800 rows, "small") against January 2012:
    //   test = registry._get_default_stattest(reference, current, type); test(reference, current, type, None).drift_score
    //   and registry._registered_stat_tests["psi"][type](...) for the others
    const ANSWERS = [
      {
        of: "temp",
        size: "large",
        test: "wasserstein",
        score: 1.0814930665918814,
        ks: 5.115740247434829e-157,
        js: 0.45650068828684837,
        psi: 3.143524394321128,
        kl: 2.411142037015984,
        hellinger: 0.5014275658167021,
        energy: 0.4049952238645499,
      },
      {
        of: "hum",
        size: "large",
        test: "wasserstein",
        score: 0.29536760802429257,
        ks: 5.0413953966130994e-20,
        js: 0.17135654041170817,
        psi: 0.24266299745768655,
        kl: 0.1294405484002153,
        hellinger: 0.14368601214355226,
        energy: 0.11537171904848668,
      },
      {
        of: "windspeed",
        size: "large",
        test: "wasserstein",
        score: 0.21147509366610015,
        ks: 6.61708272203775e-5,
        js: 0.0890160023120454,
        psi: 0.0630088857997209,
        kl: 0.030031735857354712,
        hellinger: 0.07363007570321477,
        energy: 0.05406818339690861,
      },
      {
        of: "cnt",
        size: "large",
        test: "wasserstein",
        score: 0.10665975702047338,
        ks: 0.029659954754953304,
        js: 0.08693568042950182,
        psi: 0.06964556076578085,
        kl: 0.04381948274173254,
        hellinger: 0.09098684898872483,
        energy: 1.001814331661927,
      },
      {
        of: "hr",
        size: "large",
        test: "wasserstein",
        score: 0.005788639583799135,
        ks: 1,
        js: 0.00549147543852517,
        psi: 0.00024129246303609145,
        kl: 0.00011945792218048107,
        hellinger: 0.0036338302238035133,
        energy: 0.014324363034849406,
      },
      {
        of: "season",
        size: "large",
        test: "jensen_shannon",
        score: 0.6238353598556126,
        psi: 7.0493231382718555,
        kl: 5.621575367976291,
        hellinger: 0.714776546923506,
      },
      {
        of: "weathersit",
        size: "large",
        test: "jensen_shannon",
        score: 0.03259490595432627,
        psi: 0.010763698081139587,
        kl: 0.0035403676431158236,
        hellinger: 0.03430497844555839,
      },
      {
        of: "workingday",
        size: "large",
        test: "jensen_shannon",
        score: 0.028962606514933233,
        psi: 0.006713451358259632,
        kl: 0.0033247645640068282,
        hellinger: 0.028965616597492503,
      },
      {
        of: "temp",
        size: "small",
        test: "ks",
        score: 2.170801856944261e-52,
        js: 0.3061263104306877,
        psi: 0.8477869792006041,
        kl: 0.34957045257584096,
        hellinger: 0.29425717901069365,
        energy: 0.19201441357028487,
      },
      {
        of: "hum",
        size: "small",
        test: "ks",
        score: 0.014662924007725824,
        js: 0.11773624962470032,
        psi: 0.11403241207918598,
        kl: 0.054042399675362854,
        hellinger: 0.11070997228845987,
        energy: 0.051265340083281916,
      },
      {
        of: "cnt",
        size: "small",
        test: "ks",
        score: 8.413609301932858e-44,
        js: 0.30896577832467526,
        psi: 1.105028955713329,
        kl: 0.32050023920648457,
        hellinger: 0.34603226691338185,
        energy: 5.795871415242724,
      },
      { of: "season", size: "small", test: "z", score: 1, psi: 0 },
      {
        of: "weathersit",
        size: "small",
        test: "chi",
        score: 7.8471502275386e-5,
        js: 0.060724947234337065,
        psi: 0.029568365973474457,
        kl: 0.014900522747739018,
        hellinger: 0.06075981842709954,
      },
      {
        of: "workingday",
        size: "small",
        test: "z",
        score: 0.7602598026373566,
        js: 0.005500011038086256,
        psi: 0.0002420043600072918,
      },
      {
        of: "weekday",
        size: "small",
        test: "chi",
        score: 0.010995887915458726,
        js: 0.053621785020027964,
        psi: 0.023054252010557646,
      },
    ] as const;
    const INTEGERS = ["cnt", "hr", "season", "weathersit", "workingday", "weekday"];
    const bikes = haveFixtures ? readBikes() : undefined;

    it.each(ANSWERS)("$of, $size baseline: $test with $score", (answer) => {
      if (!bikes) throw new Error("no data");
      const values = bikes.of(answer.of).map(Number);
      const within = (from: string, to: string) =>
        values.filter((_, i) => {
          const time = bikes.timestamp[i] ?? "";
          return time >= from && time < to;
        });
      const before = within("2011", "2012");
      const found = judge(
        column(
          numbers(answer.size === "large" ? before : before.slice(0, 800)),
          numbers(within("2012-01", "2012-02")),
          { ...(INTEGERS.includes(answer.of) ? { storage: WHOLE } : {}) },
        ),
      );
      const primary = answer.test === "z" || answer.test === "chi" ? "chi_square" : answer.test;
      expect(found.primary).toBe(primary);
      expectRelative((found.distance?.value ?? found.pValue) as number, answer.score, 1e-9);
      const limit = found.distance ? 0.1 : 0.05;
      expect(found.verdict).toBe(
        (found.distance ? answer.score >= limit : answer.score <= limit) ? "drifted" : "stable",
      );
      expect(found.statistics[primary]?.threshold).toBe(limit);
      const { statistics } = found;
      if ("ks" in answer) expectRelative(statistics.ks?.p_value as number, answer.ks, 1e-9);
      if ("js" in answer) expectRelative(statistics.jensen_shannon?.value as number, answer.js, 1e-9);
      if ("psi" in answer) expectRelative(statistics.psi?.value as number, answer.psi, 1e-9);
      if ("kl" in answer) expectRelative(statistics.kl?.value as number, answer.kl, 1e-9);
      if ("hellinger" in answer)
        expectRelative(statistics.hellinger?.value as number, answer.hellinger, 1e-9);
      if ("energy" in answer) expectRelative(statistics.energy?.value as number, answer.energy, 1e-9);
    });
  },
);

describe("Evidently's rule", () => {
  it("tests its own example by goodness of fit (tests/stattests/test_stattests.py: 0.67309)", () => {
    const found = judge(
      column(
        counted({ a: 16, b: 18, c: 16, d: 14, e: 12, f: 12 }),
        counted({ a: 16, b: 16, c: 16, d: 16, e: 16, f: 8 }),
      ),
    );
    expect(found.pValue).toBeCloseTo(0.67309, 5);
    expect(found.verdict).toBe("stable");
    expect(found.because).toBe("p = 0.673 of the chi-square goodness-of-fit test, not below 0.05");
  });

  it("finds a new category impossible", () => {
    const found = judge(column(counted({ a: 5, b: 5 }), counted({ a: 5, b: 4, c: 1 })));
    expect(found.pValue).toBe(0);
    expect(found.verdict).toBe("drifted");
    expect(Number.isFinite(found.statistics.chi_square?.value)).toBe(true);
  });

  it("raises an empty share to 1e-4 in PSI (tests/multitest/metrics/data_drift.py: 2.93)", () => {
    const found = judge(column(numbers([3, 2, 2]), numbers([1, 2, 3])));
    expect(found.statistics.psi?.value).toBeCloseTo(2.93, 2);
  });

  it("raises it to a millionth of the smallest share where that is at most 1e-4", () => {
    // evidently 0.7.23, the program above: reference 20,000 a and 1 b, current 500 a and 2 c
    const { statistics } = judge(column(counted({ a: 20_000, b: 1 }), counted({ a: 500, c: 2 })));
    expectRelative(statistics.psi?.value as number, 0.07253461176880738);
    expectRelative(statistics.kl?.value as number, 0.004007161342671321);
    expectRelative(statistics.jensen_shannon?.value as number, 0.037417076450469496);
  });

  it("changes from p-values to distances above 1,000 rows of the baseline, whatever the current size", () => {
    const rows = (count: number) => numbers(Array.from({ length: count }, (_, i) => i / count));
    expect(judge(column(rows(1_000), rows(5_000))).primary).toBe("ks");
    expect(judge(column(rows(1_001), rows(10))).primary).toBe("wasserstein");
  });

  it("says what it held against what", () => {
    const rows = (shift: number) => numbers(Array.from({ length: 2_000 }, (_, i) => i + shift));
    const found = judge(column(rows(0), rows(100)));
    expect(found.verdict).toBe("drifted");
    expect(found.because).toBe(
      "Wasserstein distance 0.173 of the baseline's standard deviation, at or above 0.1",
    );
    expect(found.statistics.wasserstein).toMatchObject({
      threshold: 0.1,
      threshold_on: "normalized",
    });
    expectRelative(found.statistics.wasserstein?.value as number, 100);
  });

  it("takes few whole numbers as categories unless their type is stated or a value is missing", () => {
    const values = Array.from({ length: 2_000 }, (_, i) => i % 8);
    const whole = (more: Partial<PresetColumn>, now: readonly (number | null)[] = values) =>
      judge(column(numbers(values), numbers(now), { storage: WHOLE, ...more })).primary;
    expect(whole({})).toBe("jensen_shannon");
    expect(whole({ typeFrom: "stated" })).toBe("wasserstein");
    expect(whole({ storage: { baseline: "whole", current: "other" } })).toBe("wasserstein");
    expect(whole({}, [...values, null])).toBe("wasserstein");
  });

  it("compares neither free text nor times", () => {
    const text = categories(Array.from({ length: 40 }, (_, i) => `comment ${i}`));
    expect(judge(column(text, text))).toMatchObject({ verdict: "error", primary: null });
    expect(judge(column(text, text, { typeFrom: "stated" })).verdict).toBe("stable");
    expect(judge(column(numbers([1]), numbers([1]), { type: "timestamp" })).verdict).toBe("error");
  });

  it("calls a data set drifted at half of its columns", () => {
    expect(evidently.judgeDataset(1, 2).verdict).toBe("drifted");
    expect(evidently.judgeDataset(1, 3).verdict).toBe("stable");
    expect(evidently.judgeDataset(0, 0).verdict).toBe("stable");
  });
});
