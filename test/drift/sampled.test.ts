import { describe, expect, it } from "vitest";
import { budgetOf } from "../../drift/budget.ts";
import { binomialUpperTail } from "../../drift/distributions/binomial.ts";
import { normalSample, seededRandom } from "../../drift/distributions/random.ts";
import { effectiveSample } from "../../drift/effective-sample.ts";
import { judge } from "../../drift/judge.ts";
import { measureColumn } from "../../drift/measure-column.ts";
import {
  effectiveRows,
  mergeObserved,
  type ObservedColumn,
  type ObservedNumeric,
  weighObserved,
} from "../../drift/observed-column.ts";
import { numericColumn, numericWindow, textColumn, textWindow } from "./columns.ts";

const RATE = 0.1;
const WINDOW = 4_000;
const WINDOWS = 300;
const BUDGET = 0.05;
const OPTIONS = { budget: budgetOf(String(BUDGET), undefined), minimumEffect: 0, minimumRows: 20 };

interface Row {
  readonly amount: number | null;
  readonly city: string;
  /** Kept whatever the rate. */
  readonly failed: boolean;
}

/** Rows of which this share fails; those that fail look different, as they do. */
function rowsOf(random: () => number, size: number, failing: number, shift = 0): Row[] {
  return Array.from({ length: size }, () => {
    const failed = random() < failing;
    const u = random();
    return {
      failed,
      amount: random() < 0.05 ? null : normalSample(random) + (failed ? 2 : 0) + shift,
      city: failed ? (u < 0.9 ? "nowhere" : "oslo") : u < 0.6 ? "oslo" : u < 0.95 ? "bergen" : "narvik",
    };
  });
}

function kept(random: () => number, rows: readonly Row[]) {
  return {
    failed: rows.filter(({ failed }) => failed),
    sampled: rows.filter(({ failed }) => !failed && random() < RATE),
  };
}

/** A baseline, and how a window's sample is seen: as it is weighted, or as if its rows were what they stand for. */
function setting(seed: number, failing: number) {
  const random = seededRandom(seed);
  const before = rowsOf(random, 3_000, failing);
  const amount = numericColumn(
    before.map((row) => row.amount),
    "amount",
  );
  const city = textColumn(
    before.map((row) => row.city),
    "city",
  );
  return {
    random,
    observe: (rows: readonly Row[]) => {
      const { failed, sampled } = kept(random, rows);
      const both = (of: (part: readonly Row[]) => ObservedColumn) =>
        mergeObserved(of(failed), weighObserved(of(sampled), 1 / RATE));
      return [
        {
          baseline: amount,
          current: both((part) =>
            numericWindow(
              amount,
              part.map((row) => row.amount),
            ),
          ),
        },
        { baseline: city, current: both((part) => textWindow(part.map((row) => row.city))) },
      ];
    },
  };
}

function alarms(seed: number, failing: number, seen: "as a sample" | "as if it were all"): number {
  const { random, observe } = setting(seed, failing);
  let called = 0;
  for (let i = 0; i < WINDOWS; i += 1) {
    const pairs = observe(rowsOf(random, WINDOW, failing)).map(({ baseline, current }) => ({
      baseline,
      current: seen === "as a sample" ? current : { ...current, sample: undefined },
    }));
    const { dataset } = judge(pairs.map(measureColumn), OPTIONS);
    if (dataset.verdict !== "stable") called += 1;
  }
  return called;
}

describe("a tenth of a stable stream, with all its errors", () => {
  it.each([0, 0.02, 0.3, 0.9])("keeps to the budget of false alarms when %f of it fail", (failing) => {
    const called = alarms(11, failing, "as a sample");
    expect(
      binomialUpperTail(called, WINDOWS, BUDGET),
      `${called} of ${WINDOWS} windows called`,
    ).toBeGreaterThan(1e-3);
  });

  it("would not if its rows were taken for those they stand for", () => {
    expect(alarms(11, 0.02, "as if it were all")).toBeGreaterThan(WINDOWS / 4);
  });

  it("still shows a shift", () => {
    const { random, observe } = setting(12, 0.02);
    const { columns } = judge(observe(rowsOf(random, WINDOW, 0.02, 0.5)).map(measureColumn), OPTIONS);
    expect(columns.map(({ verdict }) => verdict)).toEqual(["drifted", "stable"]);
  });
});

describe("estimates from a sample", () => {
  it("agree with the whole within their error", () => {
    const { random, observe } = setting(13, 0.1);
    const rows = rowsOf(random, 20_000, 0.1);
    const [amount, city] = observe(rows).map(({ current }) => current);
    const usable = rows.flatMap((row) => (row.amount === null ? [] : [row.amount]));
    const mean = usable.reduce((sum, value) => sum + value, 0) / usable.length;
    const std = Math.sqrt(usable.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (usable.length - 1));
    const seen = amount as ObservedNumeric;
    const worth = effectiveRows(seen);
    expect(worth).toBeGreaterThan(1_500);
    expect(worth).toBeLessThan(4_000);
    expect(Math.abs((seen.mean ?? 0) - mean)).toBeLessThan((4 * std) / Math.sqrt(worth));
    expect(Math.abs((seen.std ?? 0) / std - 1)).toBeLessThan(4 / Math.sqrt(2 * worth));
    expect(Math.abs(seen.rows / rows.length - 1)).toBeLessThan(4 / Math.sqrt(worth));
    expect(Math.abs(seen.missing / seen.rows - 0.05)).toBeLessThan(4 * Math.sqrt((0.05 * 0.95) / worth));
    if (city?.kind !== "categorical") throw new TypeError("city is categorical");
    for (const name of ["oslo", "bergen", "narvik", "nowhere"]) {
      const share = rows.filter((row) => row.city === name).length / rows.length;
      const estimate = (city.counts.get(name) ?? 0) / city.rows;
      expect(Math.abs(estimate - share), name).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / worth));
    }
  });

  it("are merged in any order, weight by weight", () => {
    const { random, observe } = setting(14, 0.3);
    const [a, b, c] = [1, 2, 3].map(() => observe(rowsOf(random, 500, 0.3))[0]?.current) as ObservedNumeric[];
    if (!a || !b || !c) throw new TypeError("three windows");
    const left = mergeObserved(mergeObserved(a, b), c);
    const right = mergeObserved(c, mergeObserved(b, a));
    expect(effectiveRows(left)).toBeCloseTo(effectiveRows(right), 6);
    expect(left.rows).toBeCloseTo(right.rows, 6);
    expect(left.sample?.map(({ weight }) => weight).toSorted()).toEqual([1, 10]);
  });
});

describe("effectiveSample", () => {
  it.each([
    { says: "rows of one weight are worth their number", squares: [5_000, 5_000], worth: 100 },
    { says: "no bin, no worth", squares: [0, 0], current: [0, 0], worth: 0 },
  ])("$says", ({ squares, current = [500, 500], worth }) => {
    expect(effectiveSample([50, 50], current, squares).size).toBeCloseTo(worth, 9);
  });

  it("is less than Kish's number where rare bins hold the heavy rows", () => {
    const current = [900, 50, 50];
    const squares = [900, 500, 500];
    const kish = 1_000 ** 2 / 1_900;
    const { size, freedom } = effectiveSample([900, 50, 50], current, squares);
    expect(size).toBeLessThan(kish / 4);
    expect(freedom).toBeLessThan(2);
  });

  it("refuses bins that do not match", () => {
    expect(() => effectiveSample([1, 2], [1], [1])).toThrow("2 reference bins");
  });
});
