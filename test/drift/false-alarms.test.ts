import { describe, expect, it } from "vitest";
import { categoricalBaseline, numericBaseline } from "../../drift/baseline-column.ts";
import { budgetOf } from "../../drift/budget.ts";
import { binomialUpperTail } from "../../drift/distributions/binomial.ts";
import { seededRandom } from "../../drift/distributions/random.ts";
import { judge } from "../../drift/judge.ts";
import { type ColumnPair, measureColumn } from "../../drift/measure-column.ts";
import { observeNumeric } from "../../drift/observed-column.ts";

const OPTIONS = { budget: budgetOf("0.01", undefined), minimumEffect: 0.1, minimumRows: 20 };
/** Without a least effect only the evidence decides: the harder case for false alarms. */
const EVIDENCE_ONLY = { ...OPTIONS, minimumEffect: 0 };

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Twenty features of many shapes: 14 numeric (normal, log-normal, uniform, rounded, zero-inflated, with missing values) and 6 categorical. */
function draw(random: () => number, feature: number): number | string | null {
  if (feature >= 14) {
    const categories = [2, 3, 8, 30, 200, 2][feature - 14] ?? 2;
    // Zipf-like shares: the rare ones are rare indeed.
    return `c${Math.min(categories - 1, Math.floor((categories + 1) ** random() - 1))}`;
  }
  const z = normal(random);
  switch (feature % 7) {
    case 0:
      return z;
    case 1:
      return Math.exp(z);
    case 2:
      return random();
    case 3:
      return Math.round(z);
    case 4:
      return random() < 0.7 ? 0 : Math.abs(z);
    case 5:
      return random() < 0.1 ? null : z;
    default:
      return Math.floor(random() * 24);
  }
}

function pairOf(
  random: () => number,
  feature: number,
  sizes: { readonly baseline: number; readonly current: number },
  shift = 0,
): ColumnPair {
  const sample = (size: number, by: number) =>
    Array.from({ length: size }, () => {
      const value = draw(random, feature);
      return typeof value === "number" ? value + by : value;
    });
  const before = sample(sizes.baseline, 0);
  const now = sample(sizes.current, shift);
  const missing = (values: readonly unknown[]) => values.filter((value) => value === null).length;
  if (feature >= 14) {
    const count = (values: readonly unknown[]) => {
      const counts = new Map<string, number>();
      for (const value of values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
      return counts;
    };
    return {
      baseline: categoricalBaseline(
        {
          name: `f${feature}`,
          role: "input",
          type: "categorical",
          rows: before.length,
          missing: 0,
          unusable: 0,
        },
        count(before),
      ),
      current: { kind: "categorical", rows: now.length, missing: 0, unusable: 0, counts: count(now) },
    };
  }
  const numbers = (values: readonly unknown[]) =>
    Float64Array.from(values.filter((value) => typeof value === "number")).sort();
  const baseline = numericBaseline(
    {
      name: `f${feature}`,
      role: "input",
      type: "numeric",
      rows: before.length,
      missing: missing(before),
      unusable: 0,
    },
    numbers(before),
  );
  return {
    baseline,
    current: observeNumeric(baseline, { rows: now.length, missing: missing(now), unusable: 0 }, numbers(now)),
  };
}

/** The most windows that may be called by chance: passed with a probability below one in a hundred when the budget is kept. */
function upperLimit(trials: number, alpha: number): number {
  let k = 0;
  while (binomialUpperTail(k + 1, trials, alpha) > 0.01) k += 1;
  return k;
}

describe("false alarms on samples of one distribution, 20 features, budget 1 %", () => {
  it.each([
    { baseline: 30, current: 30, pairs: 200 },
    { baseline: 300, current: 300, pairs: 200 },
    { baseline: 3_000, current: 3_000, pairs: 200 },
    { baseline: 30_000, current: 30_000, pairs: 200 },
    { baseline: 30_000, current: 30, pairs: 20 },
    { baseline: 3_000, current: 300, pairs: 60 },
    { baseline: 300, current: 3_000, pairs: 40 },
  ])(
    "baseline $baseline, window $current, $pairs pairs: within the binomial limit",
    ({ baseline, current, pairs }) => {
      const random = seededRandom(baseline * 7 + current);
      let called = 0;
      for (let i = 0; i < pairs; i += 1) {
        const measured = Array.from({ length: 20 }, (_, feature) =>
          measureColumn(pairOf(random, feature, { baseline, current })),
        );
        const { verdict } = judge(measured, EVIDENCE_ONLY).dataset;
        if (verdict === "drifted" || verdict === "quality") called += 1;
      }
      expect(called).toBeLessThanOrEqual(upperLimit(pairs, 0.01));
    },
    900_000,
  );
});

describe("detection", () => {
  it("finds a shift of half a standard deviation in one of 20 features at 1,000 rows nearly always", () => {
    const random = seededRandom(77);
    let found = 0;
    for (let i = 0; i < 40; i += 1) {
      const measured = Array.from({ length: 20 }, (_, feature) =>
        measureColumn(pairOf(random, feature, { baseline: 5_000, current: 1_000 }, feature === 0 ? 0.5 : 0)),
      );
      const { dataset, columns } = judge(measured, OPTIONS);
      if (dataset.verdict === "drifted" && columns[0]?.verdict === "drifted") found += 1;
    }
    expect(found).toBeGreaterThanOrEqual(39);
  });

  it("does not call a trifle at a million rows, and says why", () => {
    const random = seededRandom(5);
    const measured = [measureColumn(pairOf(random, 0, { baseline: 300_000, current: 300_000 }, 0.02))];
    const { columns } = judge(measured, OPTIONS);
    expect(columns[0]?.verdict).toBe("stable");
    expect(columns[0]?.reason).toContain("more than chance but below the least that matters");
  });

  it("says too-few where it could not tell", () => {
    const random = seededRandom(6);
    const measured = [measureColumn(pairOf(random, 0, { baseline: 1_000, current: 8 }))];
    expect(judge(measured, OPTIONS).dataset.verdict).toBe("too-few");
  });
});
