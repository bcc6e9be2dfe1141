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

/** Fourteen numeric features of many shapes: normal, log-normal, uniform, rounded, zero-inflated, with missing values. */
const NUMERIC: readonly ((random: () => number) => number | null)[] = [
  normal,
  (random) => Math.exp(normal(random)),
  (random) => random(),
  (random) => Math.round(normal(random)),
  (random) => (random() < 0.7 ? 0 : Math.abs(normal(random))),
  (random) => (random() < 0.1 ? null : normal(random)),
  (random) => Math.floor(random() * 24),
];
const NUMERIC_FEATURES = 2 * NUMERIC.length;
/** Six categorical ones, by their number of categories. */
const CATEGORIES = [2, 3, 8, 30, 200, 2];
const FEATURES = NUMERIC_FEATURES + CATEGORIES.length;

interface Sizes {
  readonly baseline: number;
  readonly current: number;
}

function pairOf(random: () => number, feature: number, sizes: Sizes, shift = 0): ColumnPair {
  return feature < NUMERIC_FEATURES
    ? numericPair(random, feature, sizes, shift)
    : categoricalPair(random, feature, sizes);
}

function numericPair(random: () => number, feature: number, sizes: Sizes, shift: number): ColumnPair {
  const draw = NUMERIC[feature % NUMERIC.length] ?? normal;
  const before = numbers(random, draw, { size: sizes.baseline, shift: 0 });
  const now = numbers(random, draw, { size: sizes.current, shift });
  const column = { name: `f${feature}`, role: "input", type: "numeric" } as const;
  const baseline = numericBaseline(
    { ...column, rows: sizes.baseline, missing: sizes.baseline - before.length, unusable: 0 },
    before,
  );
  const counts = { rows: sizes.current, missing: sizes.current - now.length, unusable: 0 };
  return { baseline, current: observeNumeric(baseline, counts, now) };
}

/** In order, without the missing ones. Straight into numbers of one kind: it is drawn 240 million times. */
function numbers(
  random: () => number,
  draw: (random: () => number) => number | null,
  { size, shift }: { readonly size: number; readonly shift: number },
): Float64Array {
  const values = new Float64Array(size);
  let present = 0;
  for (let i = 0; i < size; i += 1) {
    const value = draw(random);
    if (value === null) continue;
    values[present] = value + shift;
    present += 1;
  }
  return values.subarray(0, present).sort();
}

function categoricalPair(random: () => number, feature: number, sizes: Sizes): ColumnPair {
  const categories = CATEGORIES[feature - NUMERIC_FEATURES] ?? 2;
  const before = categoryCounts(random, categories, sizes.baseline);
  const now = categoryCounts(random, categories, sizes.current);
  const column = { name: `f${feature}`, role: "input", type: "categorical" } as const;
  return {
    baseline: categoricalBaseline({ ...column, rows: sizes.baseline, missing: 0, unusable: 0 }, before),
    current: { kind: "categorical", rows: sizes.current, missing: 0, unusable: 0, counts: now },
  };
}

/** Zipf-like shares: the rare ones are rare indeed. */
function categoryCounts(random: () => number, categories: number, size: number): Map<string, number> {
  const counts = new Uint32Array(categories);
  const scale = Math.log(categories + 1);
  for (let i = 0; i < size; i += 1) {
    const category = Math.min(categories - 1, Math.floor(Math.exp(scale * random()) - 1));
    counts[category] = (counts[category] ?? 0) + 1;
  }
  return new Map([...counts].flatMap((count, at) => (count > 0 ? [[`c${at}`, count]] : [])));
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
        const measured = Array.from({ length: FEATURES }, (_, feature) =>
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
      const measured = Array.from({ length: FEATURES }, (_, feature) =>
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
