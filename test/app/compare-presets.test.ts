import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareFiles } from "../../app/compare-files.ts";
import { compareTable } from "../../app/compare-table.ts";
import { compareResult } from "../../schema/compare-result.ts";
import { presetName } from "../../schema/preset-name.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "leeway-presets-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function csv(name: string, rows: readonly (readonly (string | number)[])[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${rows.map((row) => row.join(",")).join("\n")}\n`);
  return path;
}

const FOREIGN = presetName.options.filter((name) => name !== "leeway");

describe.skipIf(!haveFixtures)(
  `NannyML's published tables (${haveFixtures ? "reference data found" : WITHOUT_FIXTURES})`,
  () => {
    // nannyml docs, "Tutorial - Storing and Loading Calculators - Univariate", cell 6: chunks of 5,000 rows of the car loan data;
    // per analysis chunk the Jensen-Shannon distance, KS or chi-square statistic, six digits as printed there.
    const PUBLISHED = [
      {
        of: "car_value",
        statistic: "jensen_shannon",
        threshold: 0.0352619,
        values: [
          0.0261935, 0.0201778, 0.0210184, 0.0363554, 0.0287119, 0.464759, 0.460057, 0.466777, 0.466199,
          0.467827,
        ],
      },
      {
        of: "debt_to_income_ratio",
        statistic: "jensen_shannon",
        threshold: 0.0393276,
        values: [
          0.0316611, 0.0300113, 0.0311286, 0.0294644, 0.0308095, 0.0286811, 0.0436276, 0.0292533, 0.0306276,
          0.0283303,
        ],
      },
      {
        of: "loan_length",
        statistic: "jensen_shannon",
        threshold: 0.0366378,
        values: [
          0.0244278, 0.0258391, 0.0293725, 0.0290784, 0.0287925, 0.233935, 0.231747, 0.234016, 0.231484,
          0.24262,
        ],
      },
      {
        of: "driver_tenure",
        statistic: "jensen_shannon",
        threshold: 0.039192,
        values: [
          0.0309355, 0.0383534, 0.034176, 0.0332968, 0.0263609, 0.0288384, 0.0265918, 0.0275949, 0.0232423,
          0.0279191,
        ],
      },
      {
        of: "y_pred_proba",
        statistic: "jensen_shannon",
        threshold: 0.0365875,
        values: [
          0.0289329, 0.0221389, 0.0310428, 0.0228333, 0.0237474, 0.225486, 0.208815, 0.224282, 0.205352,
          0.215539,
        ],
      },
      {
        of: "salary_range",
        statistic: "jensen_shannon",
        threshold: 0.0177088,
        values: [
          0.00639674, 0.0153757, 0.0102823, 0.00167698, 0.00633255, 0.183143, 0.174226, 0.182913, 0.177985,
          0.19035,
        ],
      },
      {
        of: "repaid_loan_on_prev_car",
        statistic: "jensen_shannon",
        threshold: 0.0147343,
        values: [
          0.0083078, 0.00319188, 0.0113376, 0.00107588, 0.00449331, 0.231198, 0.229333, 0.230161, 0.213579,
          0.236408,
        ],
      },
      {
        of: "size_of_downpayment",
        statistic: "jensen_shannon",
        threshold: 0.0214812,
        values: [
          0.00796199, 0.0150859, 0.00907089, 0.00440901, 0.0112076, 0.0135741, 0.0100123, 0.0116206,
          0.0164851, 0.00809379,
        ],
      },
      {
        of: "y_pred",
        statistic: "jensen_shannon",
        threshold: 0.00909686,
        values: [
          0.0152383, 0.00889123, 0.00804087, 0.00566028, 0.00317755, 0.00419696, 0.00198817, 0.002328,
          0.00362023, 0.0154082,
        ],
      },
      {
        of: "car_value",
        statistic: "ks",
        threshold: 0.0194257,
        values: [0.01308, 0.01106, 0.01662, 0.01434, 0.01116, 0.4353, 0.43028, 0.43772, 0.43602, 0.43838],
      },
      {
        of: "debt_to_income_ratio",
        statistic: "ks",
        threshold: 0.0185838,
        values: [0.01576, 0.01268, 0.01734, 0.0128, 0.01918, 0.00824, 0.01058, 0.01002, 0.01068, 0.0068],
      },
      {
        of: "y_pred_proba",
        statistic: "ks",
        threshold: 0.0145647,
        values: [0.0253, 0.0123, 0.01642, 0.01058, 0.01408, 0.1307, 0.1273, 0.1311, 0.1197, 0.13752],
      },
      {
        of: "salary_range",
        statistic: "chi_square",
        threshold: 0.05,
        values: [1.03368, 5.76241, 2.65396, 0.0708428, 1.00542, 455.622, 428.633, 453.247, 438.26, 474.892],
      },
      {
        of: "repaid_loan_on_prev_car",
        statistic: "chi_square",
        threshold: 0.05,
        values: [1.70319, 0.242059, 3.17862, 0.0242988, 0.487381, 1179.9, 1162.99, 1170.49, 1023.35, 1227.54],
      },
      {
        of: "size_of_downpayment",
        statistic: "chi_square",
        threshold: 0.05,
        values: [1.6025, 5.71897, 2.08186, 0.489515, 3.15856, 4.66135, 2.52181, 3.41534, 6.88171, 1.63759],
      },
      {
        of: "y_pred",
        statistic: "chi_square",
        threshold: 0.05,
        values: [
          5.78426, 1.94965, 1.59109, 0.7808, 0.239784, 0.424518, 0.0904949, 0.12587, 0.313431, 5.91474,
        ],
      },
    ] as const;

    it("are met in every digit, thresholds and alerts too, with windows of 5,000 rows", async () => {
      const data = (name: string) =>
        join(FIXTURES ?? "", "data/car_loan", `${name}_synthetic_car_loan.parquet`);
      const result = await compareFiles(data("reference"), data("monitoring"), {
        preset: "nannyml",
        window: "5000rows",
        columns: [...new Set(PUBLISHED.map(({ of }) => of))],
        types: {
          repaid_loan_on_prev_car: "boolean",
          size_of_downpayment: "categorical",
          y_pred: "categorical",
        },
        timeColumn: "none",
      });
      if (!("windows" in result)) throw new Error("no windows");
      expect(result.windows).toHaveLength(10);
      for (const { of, statistic, threshold, values } of PUBLISHED) {
        values.forEach((want, w) => {
          const found = result.windows[w]?.columns.find(({ name }) => name === of);
          const got = found?.statistics[statistic];
          const at = `${of} ${statistic} of chunk ${w}`;
          expect(Number(got?.value.toPrecision(6)), at).toBe(want);
          expect(Number(got?.threshold?.toPrecision(6)), `threshold of ${at}`).toBe(threshold);
          if (statistic === "jensen_shannon")
            expect(found?.verdict, at).toBe(want > threshold ? "drifted" : "stable");
        });
      }
      // "Tutorial - Ranking", cell 4: how many chunks alert.
      const alerts = (of: string) =>
        result.windows.filter(({ columns }) =>
          columns.some(({ name, verdict }) => name === of && verdict === "drifted"),
        ).length;
      expect(["car_value", "y_pred_proba", "salary_range", "y_pred", "driver_tenure"].map(alerts)).toEqual([
        6, 5, 5, 2, 0,
      ]);
    });
  },
);

describe.skipIf(!haveFixtures)(
  `Evidently's own report (${haveFixtures ? "reference data found" : WITHOUT_FIXTURES})`,
  () => {
    // evidently 0.7.23: Report([DataDriftPreset()]).run(current, reference), bike data read with pandas.read_csv, the year 2011 as reference and
    // January and February 2012 as current; method and value of every ValueDrift, and DriftedColumnsCount: 10, share 0.625.
    const REPORT = {
      wasserstein: {
        instant: 2.019156524633996,
        hr: 0.004849966119219503,
        temp: 0.9828621566915177,
        atemp: 0.9896206598677227,
        hum: 0.3282251848181548,
        windspeed: 0.1558441658251952,
        casual: 0.4185493607258099,
        registered: 0.1104188386156264,
        cnt: 0.051230619618879945,
      },
      jensen_shannon: {
        season: 0.6238353598556126,
        yr: 0.8325546111576977,
        mnth: 0.6824882681488418,
        holiday: 0.03933265125916816,
        weekday: 0.021278521812833573,
        workingday: 0.013070856624907593,
        weathersit: 0.019848299472728214,
      },
    } as const;

    it("has the same test, value and verdict for every column of a file, found types included", async () => {
      const [header = "", ...lines] = readFileSync(join(FIXTURES ?? "", "data/bike_sharing/hour.csv"), "utf8")
        .trim()
        .split(/\r?\n/);
      const at = header.split(",").indexOf("timestamp");
      const write = (name: string, from: string, to: string) =>
        csv(name, [
          [header],
          ...lines
            .filter((line) => {
              const time = line.split(",")[at] ?? "";
              return time >= from && time < to;
            })
            .map((line) => [line]),
        ]);
      const result = await compareFiles(
        write("2011.csv", "2011", "2012"),
        write("2012.csv", "2012", "2012-03"),
        {
          preset: "evidently",
          timeColumn: "timestamp",
        },
      );
      if (!("columns" in result)) throw new Error("no columns");
      for (const [primary, values] of Object.entries(REPORT)) {
        for (const [name, value] of Object.entries(values)) {
          const found = result.columns.find((column) => column.name === name);
          expect(found?.primary, name).toBe(primary);
          expect(Math.abs((found?.effect ?? Number.NaN) / value - 1), name).toBeLessThan(1e-9);
          expect(found?.verdict, name).toBe(value >= 0.1 ? "drifted" : "stable");
        }
      }
      expect(result.dataset).toMatchObject({ verdict: "drifted", drifted: 10, checked: 16 });
    });
  },
);

describe.each(FOREIGN)("the preset %s", (preset) => {
  it("gives every column a verdict with a reason, whatever is in it", async () => {
    const rows = (shift: number, count: number) =>
      Array.from({ length: count }, (_, i) => [
        (i % 17) / 3 + shift,
        5,
        "",
        i % 3 === 0 ? "" : i,
        ["a", "b", "c"][i % 3] ?? "",
        shift > 0 ? "unseen" : "seen",
        i % 2 === 0 ? "true" : "false",
        `2026-01-0${1 + (i % 9)}`,
        i % 5 === 0 ? "inf" : i / 7,
        shift > 0 ? "" : i,
        shift > 0 ? i : "",
      ]);
    const header = [
      "number",
      "constant",
      "nothing",
      "gaps",
      "category",
      "new",
      "flag",
      "day",
      "infinite",
      "gone",
      "come",
    ];
    const baseline = csv(`${preset}-before.csv`, [
      [...header, "dropped"],
      ...rows(0, 400).map((row) => [...row, 1]),
    ]);
    const current = csv(`${preset}-now.csv`, [
      [...header, "added"],
      ...rows(9, 300).map((row) => [...row, 1]),
    ]);
    const types = { infinite: "numeric", gone: "numeric", come: "numeric", nothing: "numeric" } as const;
    const result = await compareFiles(baseline, current, { preset, types, timeColumn: "none" });
    expect(compareResult.parse(result)).toEqual(result);
    if (!("columns" in result)) throw new Error("no columns");
    expect(result.preset).toBe(preset);
    expect(result.columns.map(({ name }) => name).sort()).toEqual([...header, "dropped", "added"].sort());
    for (const { name, reason, statistics } of result.columns) {
      expect(reason.length, name).toBeGreaterThan(10);
      for (const found of Object.values(statistics))
        expect(Number.isFinite(found?.value ?? 0), name).toBe(true);
    }
    const verdictOf = (name: string) => result.columns.find((column) => column.name === name)?.verdict;
    expect(
      ["number", "new", "constant", "nothing", "gone", "come", "dropped", "added"].map(verdictOf),
    ).toEqual(["drifted", "drifted", "stable", "stable", "quality", "quality", "quality", "error"]);
    expect(result.columns.find(({ name }) => name === "number")?.reason).toMatch(
      /^by .+'s rule: .+; no false-alarm budget is kept$/,
    );
    expect(result.columns.find(({ name }) => name === "gaps")?.reason).toContain(
      "missing or no finite value",
    );
    expect(result.dataset.budget).toBeNull();
    expect(result.dataset.reason).toContain("no false-alarm budget is kept");
    const table = compareTable(result, (text) => text);
    expect(table).toContain(`preset ${preset}, its definitions, thresholds and rules`);
    expect(table).toContain("score / limit");
    expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it("judges windows, an empty one too", async () => {
    const line = (day: string, hour: number, value: number) => [
      `${day}T${String(hour).padStart(2, "0")}:00:00`,
      value,
    ];
    const days = (names: readonly string[], shift: number) =>
      names.flatMap((day) =>
        Array.from({ length: 24 }, (_, hour) => line(day, hour, ((hour * 7) % 24) + shift)),
      );
    const baseline = csv(`${preset}-time.csv`, [
      ["time", "x"],
      ...days(["2026-01-01", "2026-01-02", "2026-01-03"], 0),
    ]);
    const current = csv(`${preset}-times.csv`, [
      ["time", "x"],
      ...days(["2026-02-01"], 0),
      ...days(["2026-02-03"], 50),
    ]);
    const result = await compareFiles(baseline, current, { preset, window: "1d" });
    if (!("windows" in result)) throw new Error("no windows");
    expect(result.windows.map(({ rows, dataset }) => [rows, dataset.verdict])).toEqual([
      [24, "stable"],
      [0, "too-few"],
      [24, "drifted"],
    ]);
    expect(compareTable(result, (text) => text)).not.toContain("budget 0");
  });
});
