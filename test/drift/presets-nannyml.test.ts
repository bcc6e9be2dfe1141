import { describe, expect, it } from "vitest";
import { nannyml, upperThreshold } from "../../drift/presets/nannyml.ts";
import type { Finding, NumericSide, Side } from "../../drift/presets/preset.ts";
import { haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { expectRelative } from "./expect-relative.ts";
import { categories, column, counted, numbers, readBikes } from "./preset-columns.ts";

/** The baseline in chunks of a tenth and the rest, as NannyML's default chunker has them. */
function judge<Value>(
  baseline: readonly Value[],
  current: readonly Value[],
  side: (values: readonly Value[]) => Side,
): Finding {
  const size = Math.floor(baseline.length / 10);
  const chunks = Array.from({ length: Math.ceil(baseline.length / size) }, (_, i) =>
    side(baseline.slice(i * size, (i + 1) * size)),
  );
  return nannyml.judge(column(side(baseline), side(current), { chunks }));
}

type Answer = readonly [value: number, threshold: number];

function expectAnswers(found: Finding, answers: Readonly<Record<string, Answer>>, tolerance = 1e-9): void {
  for (const [name, [value, threshold]] of Object.entries(answers)) {
    const got = found.statistics[name];
    expectRelative(got?.value as number, value, tolerance);
    expectRelative(got?.threshold as number, threshold, tolerance);
  }
}

describe.skipIf(!haveFixtures)(
  `NannyML's own answers for the bike data (${haveFixtures ? "reference data found" : WITHOUT_FIXTURES})`,
  () => {
    // nannyml 0.13.1, numpy 2.3, pandas 2.3, scipy 1.17.1, chunks of len(reference) // 10:
    //   method = MethodFactory.create(name, kind, chunker=…, threshold=StandardDeviationThreshold(std_lower_multiplier=None))
    //   method.fit(reference); [method.calculate(current), method.upper_threshold_value]
    const NUMERIC = [
      {
        of: "temp",
        before: "2012",
        js: [0.5483132063277716, 0.9101405175118665],
        hellinger: [0.5172457976992887, 0.8712871694553357],
        ks: [0.49928667823404665, 0.8906623440356313],
        wasserstein: [0.21406207827260457, 0.35262722056464835],
      },
      {
        of: "hum",
        before: "2012",
        js: [0.18459738033766204, 0.7098142341694852],
        hellinger: [0.15667590942097107, 0.6740948037079375],
        ks: [0.18099093888567572, 0.49101240886026],
        wasserstein: [0.057975322922691336, 0.16857578908230803],
      },
      {
        of: "cnt",
        before: "2012",
        js: [0.11311985440878561, 0.6978397738606168],
        hellinger: [0.09828587469696488, 0.6628948068040371],
        ks: [0.055292076344707924, 0.6187731464879286],
        wasserstein: [14.27002120686331, 123.93339787743528],
      },
      {
        of: "temp",
        before: "2012-12",
        js: [0.57469649310112, 0.9098513830232768],
        hellinger: [0.5381068984008851, 0.8668173709902384],
        ks: [0.5160411948362426, 0.8859666152625075],
        wasserstein: [0.18534277680119832, 0.3421768948693161],
      },
      {
        of: "windspeed",
        before: "2012-12",
        js: [0.08749827382837731, 0.6320763694714979],
        hellinger: [0.07401829504223714, 0.6043977600206611],
        ks: [0.053273668099567684, 0.6294789869823048],
        wasserstein: [0.012638961036578283, 0.13339397868086028],
      },
      {
        of: "cnt",
        before: "2012-12",
        js: [0.10990938250112096, 0.6912647324157264],
        hellinger: [0.09883168459958576, 0.6592798106391472],
        ks: [0.06608228954817208, 0.5281730981849617],
        wasserstein: [23.782374965162933, 173.23668417081376],
      },
    ] as const;
    const CATEGORICAL = [
      {
        of: "season",
        before: "2012",
        js: [0.7493026301159351, 0.9099522443006743],
        hellinger: [0.7147765469235061, 0.8644462777703215],
        linf: [0.7607865818392134, 1.0615673336492957],
        chi: 1883.691867975385,
      },
      {
        of: "workingday",
        before: "2012",
        js: [0.03478763570195073, 0.6592295083538366],
        hellinger: [0.028965616597493585, 0.631597909704791],
        linf: [0.03867360709465972, 0.6531930779450421],
        chi: 4.520243356743592,
      },
      {
        of: "weathersit",
        before: "2012-12",
        js: [0.19063247070798456, 0.22343218465319648],
        hellinger: [0.1592239974466388, 0.21394063336969857],
        linf: [0.2143827603430603, 0.15095176590552642],
        chi: 161.4675756367958,
      },
    ] as const;
    const bikes = haveFixtures ? readBikes() : undefined;
    const split = (name: string, before: string) => {
      if (!bikes) throw new Error("no data");
      const values = bikes.of(name);
      const until = before === "2012" ? "2012-02" : "2013";
      const at = (i: number) => bikes.timestamp[i] ?? "";
      return {
        baseline: values.filter((_, i) => at(i) < before),
        current: values.filter((_, i) => at(i) >= before && at(i) < until),
      };
    };

    it.each(NUMERIC)("$of against all before $before", ({ of, before, js, hellinger, ks, wasserstein }) => {
      const { baseline, current } = split(of, before);
      const found = judge(baseline.map(Number), current.map(Number), numbers);
      expectAnswers(found, { jensen_shannon: js, hellinger, ks, wasserstein });
      expect(found.primary).toBe("jensen_shannon");
      expect(found.verdict).toBe(js[0] > js[1] ? "drifted" : "stable");
    });

    it.each(CATEGORICAL)("$of against all before $before", ({ of, before, js, hellinger, linf, chi }) => {
      const { baseline, current } = split(of, before);
      const found = judge(baseline, current, categories);
      expectAnswers(found, { jensen_shannon: js, hellinger, l_infinity: linf });
      expectRelative(found.statistics.chi_square?.value as number, chi, 1e-9);
    });
  },
);

describe("NannyML's rule", () => {
  it("counts values outside of the baseline's range on both sides, as NannyML's bins do", () => {
    // From the program above, with 20,000 reference rows (i * 37) % 20000 / 10 and 3,000 chunk rows (i * 53) % 3000 - 200.
    const found = judge(
      Array.from({ length: 20_000 }, (_, i) => ((i * 37) % 20_000) / 10),
      Array.from({ length: 3_000 }, (_, i) => ((i * 53) % 3_000) - 200),
      numbers,
    );
    expect(found.verdict).toBe("drifted");
    expectAnswers(found, {
      jensen_shannon: [0.43689186833942056, 0.05507439572982002],
      hellinger: [0.4283729905961322, 0.045867140158946614],
      ks: [0.2666666666665798, 0.06897049080484408],
      wasserstein: [339.3766802672497, 68.76780960781751],
    });
  });

  it("counts a large constant baseline as NannyML's histograms do", () => {
    // From the program above, with 20,000 reference rows of 5 and the chunk [5, 5.2, 7, 5.4].
    const found = judge(
      Array.from({ length: 20_000 }, () => 5),
      [5, 5.2, 7, 5.4],
      numbers,
    );
    expectAnswers(found, {
      jensen_shannon: [0.3713830650016637, 0],
      hellinger: [0.3660254037844386, 0],
      ks: [0.75, 0],
      wasserstein: [0.6499999999993591, 0],
    });
  });

  it("takes the mean and three population deviations of the chunks' distances", () => {
    expect(upperThreshold([1, 2, 3])).toBeCloseTo(2 + 3 * Math.sqrt(2 / 3), 12);
    expect(upperThreshold([0.5])).toBe(0.5);
  });

  it("lets the threshold of KS rise to 1 at most", () => {
    const chunks = [numbers([1, 2, 3, 4]), numbers([1, 1, 1, 1]), numbers([4, 4, 4, 4])];
    const all = numbers([1, 2, 3, 4, 1, 1, 1, 1, 4, 4, 4, 4]);
    const found = nannyml.judge(column(all, numbers([9]), { chunks }));
    expect(found.statistics.ks).toMatchObject({ value: 1, threshold: 1 });
  });

  it("puts new categories into one more bin and calls them by it", () => {
    const chunks = [counted({ a: 50, b: 50 }), counted({ a: 49, b: 51 })];
    const found = nannyml.judge(
      column(counted({ a: 99, b: 101 }), counted({ a: 40, b: 40, c: 10, d: 10 }), { chunks }),
    );
    expect(found.verdict).toBe("drifted");
    expect(found.because).toMatch(
      /^Jensen–Shannon distance 0\.3\d+, held to the mean and 3 standard deviations of 2 chunks of the baseline, above 0\.00\d+$/,
    );
    expect(found.statistics.jensen_shannon?.threshold_on).toBe("value");
  });

  it("calls the chi-square statistic by p < 0.05 and corrects it with two categories", () => {
    // scipy 1.17.1: chi2_contingency([[10, 20], [15, 5]]) gives (6.75, 0.0093747684594349)
    const found = nannyml.judge(
      column(counted({ a: 10, b: 20 }), counted({ a: 15, b: 5 }), { chunks: [counted({ a: 10, b: 20 })] }),
    );
    expectRelative(found.statistics.chi_square?.value as number, 6.75, 1e-9);
    expectRelative(found.statistics.chi_square?.p_value as number, 0.0093747684594349, 1e-9);
    expect(found.statistics.chi_square).toMatchObject({ threshold: 0.05, threshold_on: "p_value" });
  });

  it("survives constants, infinite values and chunks without a value", () => {
    const constant = (value: number) => numbers(Array.from({ length: 30 }, () => value));
    const of = (current: NumericSide, chunks: readonly Side[] = [constant(5)]) =>
      nannyml.judge(column(constant(5), current, { chunks }));
    expect(of(constant(5))).toMatchObject({ verdict: "stable", distance: { value: 0, limit: 0 } });
    expect(of(constant(5.3)).verdict).toBe("stable"); // within the one bin of width 1
    expect(of(constant(7)).verdict).toBe("drifted");
    const infinite = of(numbers([5, 5, Number.POSITIVE_INFINITY]));
    expect(infinite.verdict).toBe("drifted");
    expect(infinite.statistics.ks).toBeNull();
    const inBaseline = of(constant(7), [numbers([5, 5, Number.NEGATIVE_INFINITY])]);
    expect(inBaseline.statistics.ks?.threshold).toBe(0);
    expect(of(constant(5), [numbers([null])]).verdict).toBe("error");
    expect(nannyml.judge(column(constant(5), constant(5), { type: "timestamp" })).verdict).toBe("error");
  });
});
