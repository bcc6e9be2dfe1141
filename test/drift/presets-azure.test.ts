import { describe, expect, it } from "vitest";
import { azure } from "../../drift/presets/azure.ts";
import { haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { expectRelative } from "./expect-relative.ts";
import { column, counted, numbers, readBikes, WHOLE } from "./preset-columns.ts";

describe.skipIf(!haveFixtures)(
  `numpy's and scipy's answers by Azure's definitions (${haveFixtures ? "reference data found" : WITHOUT_FIXTURES})`,
  () => {
    // numpy 2.3, scipy 1.17.1, r = 2011 and k = January 2012 of the bike data, n and m their rows:
    //   wasserstein_distance(r, k) / max(np.std(r, ddof=1), .001); ks_2samp(r, k).pvalue
    //   e = np.linspace(lo, hi, math.ceil(math.log2(min(n, m)) + 1) + 1); h1, h2 = np.histogram(r, e)[0], np.histogram(k, e)[0]
    //   jensenshannon(h1 / n, h2 / m, base=2); p, q = (h1 + 1) / n, (h2 + 1) / m; np.sum((q - p) * np.log(q / p)); chisquare(y, x * m / n).pvalue
    const NUMERIC = [
      {
        of: "temp",
        wasserstein: 1.0814305145766412,
        js: 0.5437538909620127,
        psi: 2.2291861816557708,
        ks: 5.115740247434829e-157,
      },
      {
        of: "hum",
        wasserstein: 0.29535052438345444,
        js: 0.18519847895205688,
        psi: 0.17896087031939814,
        ks: 5.0413953966130994e-20,
      },
      {
        of: "windspeed",
        wasserstein: 0.21146286224854366,
        js: 0.1021365854728305,
        psi: 0.06247006129560974,
        ks: 6.61708272203775e-5,
      },
    ] as const;
    const CATEGORICAL = [
      { of: "weathersit", js: 0.03915047195402817, psi: 0.013379974436731449, chi: 1.0898837289430706e-9 },
      { of: "workingday", js: 0.03478763570195073, psi: 0.006848906862031302, chi: 0.023579686154134593 },
      { of: "season", js: 0.7493026301159351, psi: 5.055238275746646, chi: 0 },
    ] as const;
    const bikes = haveFixtures ? readBikes() : undefined;
    const split = (name: string) => {
      if (!bikes) throw new Error("no data");
      const values = bikes.of(name).map(Number);
      const at = (i: number) => bikes.timestamp[i] ?? "";
      return [
        numbers(values.filter((_, i) => at(i) < "2012")),
        numbers(values.filter((_, i) => at(i) >= "2012" && at(i) < "2012-02")),
      ] as const;
    };

    it.each(NUMERIC)("$of", ({ of, wasserstein, js, psi, ks }) => {
      const found = azure.judge(column(...split(of)));
      expect(found).toMatchObject({ primary: "wasserstein", verdict: "drifted" });
      expectRelative(found.statistics.wasserstein?.normalized as number, wasserstein);
      expectRelative(found.statistics.jensen_shannon?.value as number, js);
      expectRelative(found.statistics.psi?.value as number, psi);
      expectRelative(found.statistics.ks?.p_value as number, ks);
    });

    it.each(CATEGORICAL)("$of, whole numbers with few different values", ({ of, js, psi, chi }) => {
      const found = azure.judge(column(...split(of), { storage: WHOLE }));
      expect(found).toMatchObject({ primary: "jensen_shannon", verdict: js > 0.1 ? "drifted" : "stable" });
      expectRelative(found.distance?.value as number, js);
      expectRelative(found.statistics.psi?.value as number, psi);
      expectRelative(found.statistics.chi_square?.p_value as number, chi, 1e-8);
    });
  },
);

describe("Azure's rule", () => {
  it("calls a value above 0.1, not one at 0.1", () => {
    // Each of ten rows moved by a tenth of the sample standard deviation of 0 and 1 in equal shares, to the last digit.
    const rows = (shift: number) => numbers(Array.from({ length: 200 }, (_, i) => (i % 2) + shift));
    const std = Math.sqrt(200 / 199) / 2;
    expect(azure.judge(column(rows(0), rows(0.0999 * std))).verdict).toBe("stable");
    const found = azure.judge(column(rows(0), rows(0.101 * std)));
    expect(found.verdict).toBe("drifted");
    expect(found.because).toBe("Wasserstein distance 0.101 of the baseline's standard deviation, above 0.1");
  });

  it("takes whole numbers as categories below 5 % of different ones, a missing value being one", () => {
    const whole = (different: number, rows: number, missing = 0) =>
      azure.judge(
        column(
          numbers([
            ...Array.from({ length: rows - missing }, (_, i) => i % different),
            ...Array.from({ length: missing }, () => null),
          ]),
          numbers([1, 2]),
          { storage: WHOLE },
        ),
      ).primary;
    expect(whole(4, 100)).toBe("jensen_shannon");
    expect(whole(5, 100)).toBe("wasserstein");
    expect(whole(4, 100, 1)).toBe("wasserstein");
  });

  it("survives a constant, one row and a new category", () => {
    const constant = (value: number) => numbers(Array.from({ length: 30 }, () => value));
    expect(azure.judge(column(constant(-5), constant(-5)))).toMatchObject({
      verdict: "stable",
      distance: { value: 0 },
    });
    expect(azure.judge(column(numbers([1]), numbers([2]))).verdict).toBe("drifted");
    const found = azure.judge(column(counted({ a: 50, b: 50 }), counted({ a: 50, b: 49, c: 1 })));
    expect(found.verdict).toBe("stable");
    expect(found.statistics.chi_square).toBeNull();
    expect(azure.judge(column(numbers([1]), numbers([1]), { type: "timestamp" })).verdict).toBe("error");
  });

  it("fails the signal for one feature", () => {
    expect(azure.judgeDataset(1, 40).verdict).toBe("drifted");
    expect(azure.judgeDataset(0, 40).verdict).toBe("stable");
  });
});
