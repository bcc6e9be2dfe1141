import type { StatisticResult } from "../../schema/drift-result.ts";
import { meanAndStd } from "../baseline-column.ts";
import { chiSquareSurvival } from "../distributions/chi-square.ts";
import { ksAutoP } from "../distributions/ks-exact.ts";
import { chiSquare } from "../statistics/chi-square.ts";
import { hellinger } from "../statistics/hellinger.ts";
import { jensenShannonDistance } from "../statistics/jensen-shannon.ts";
import { sortedSampleStatistics } from "../statistics/sorted-samples.ts";
import { countInBins, distinctCounts, pairCounts, sturgesEdges } from "./histograms.ts";
import {
  byDistance,
  byPValue,
  type Finding,
  type NumericSide,
  notCompared,
  type Preset,
  type PresetColumn,
  type Storage,
  sum,
  usableValues,
} from "./preset.ts";

/** Baselines of more rows are compared by a distance, smaller ones by a p-value. */
const MOST_ROWS_TESTED = 1_000;
/** Whole numbers with so few different values are categories to Evidently. */
const MOST_WHOLE_CATEGORIES = 10;
/** Numbers with so few different values are tested as categories. */
const MOST_TESTED_AS_CATEGORIES = 5;
/** From here on a histogram stands for the values, not a bin per value. */
const MOST_BINS_BY_VALUE = 20;
const LEAST_STD = 0.001;
const DISTANCE = 0.1;
const SIGNIFICANCE = 0.05;
const DRIFT_SHARE = 0.5;

/**
 * Evidently 0.7: its `DataDriftPreset` with nothing set.
 *
 * Missing values, NaN and ±inf are left out. The number of usable baseline rows and the number k of different values on both sides
 * choose the test. Up to 1,000 rows: k <= 2 the two-proportion z-test, categories (and numbers with k <= 5) the chi-square
 * goodness-of-fit test, other numbers the KS test; drift below p = 0.05 (KS: at or below). More rows: categories (and numbers with
 * k <= 5) the Jensen–Shannon distance with natural logarithms, other numbers W1 divided by the baseline's population standard
 * deviation (at least 0.001); drift at or above 0.1. The data set has drifted when at least half of the columns have.
 *
 * Whole numbers without missing values and with at most 10 different ones in the current data are categories. Text of which more than
 * half of the values differ is "text" to Evidently, which trains a classifier on it: not compared here, nor are times, which
 * Evidently leaves out. Where a side holds no value Evidently stops the whole report with a ValueError; here the column says so.
 *
 * Beside the deciding statistic come those that a user can choose there, with their defaults: PSI and KL (an empty bin's share raised
 * to 1e-4, or to a millionth of the smallest one when that is at most 1e-4), Hellinger, energy distance and Cramér–von Mises.
 * Numbers with more than 20 different values in the baseline are binned by Sturges' rule over both sides together; else each value is a bin.
 *
 * @see evidently/legacy/calculations/data_drift.py and stattests/*.py of evidently 0.7.23 (Apache-2.0).
 * @example
 * evidently.judgeDataset(2, 3).verdict; // "drifted"
 */
export const evidently: Preset = {
  tool: "Evidently",
  threshold: "fixed",
  onEmpty: "Evidently stops the whole report with an error here",
  judge,
  judgeDataset: (drifted, checked) => ({
    verdict: checked > 0 && drifted / checked >= DRIFT_SHARE ? "drifted" : "stable",
    because: `${drifted} of ${checked} columns drifted, where at least half make a drifted data set`,
  }),
};

function judge(column: PresetColumn): Finding {
  const { baseline, current } = column;
  if (column.type === "timestamp") return notCompared("it compares no times");
  if (baseline.kind === "categorical" && current.kind === "categorical") {
    const different = current.counts.size;
    if (
      column.type === "categorical" &&
      column.typeFrom === "found" &&
      different > usableValues(current) / 2
    ) {
      return notCompared(
        `${different} different values among ${usableValues(current)} make it text, for which a classifier is trained there; state --types ${column.name}=categorical to compare it as categories`,
      );
    }
    return judgeCategories(baseline.counts, current.counts);
  }
  if (baseline.kind !== "numeric" || current.kind !== "numeric")
    throw new RangeError(`column "${column.name}" changed its kind`);
  const now = distinctCounts(current.sorted);
  const asCategories =
    column.typeFrom === "found" &&
    column.storage.current === "whole" &&
    current.missing === 0 &&
    now.size <= MOST_WHOLE_CATEGORIES;
  return asCategories
    ? judgeCategories(distinctCounts(baseline.sorted), now)
    : judgeNumbers(baseline, current, bothOf(column.storage));
}

function judgeCategories<Key>(
  before: ReadonlyMap<Key, number>,
  now: ReadonlyMap<Key, number>,
  more: Readonly<Record<string, StatisticResult | null>> = {},
): Finding {
  const counts = pairCounts(before, now);
  const size = sum(counts.reference);
  const statistics = { ...onCounts(counts, "every value a bin"), ...more };
  if (size > MOST_ROWS_TESTED) return byJensenShannon(counts, statistics);
  const test = counts.reference.length <= 2 ? zTest(counts) : goodnessOfFit(counts);
  return byPValue(
    "chi_square",
    { chi_square: test.result, ...statistics },
    { pValue: test.pValue, limit: SIGNIFICANCE, reached: "below", test: test.name },
  );
}

function judgeNumbers(baseline: NumericSide, current: NumericSide, storage: Storage): Finding {
  const before = distinctCounts(baseline.sorted);
  const now = distinctCounts(current.sorted);
  const different = new Set([...before.keys(), ...now.keys()]).size;
  const rows = sortedSampleStatistics(baseline.sorted, current.sorted);
  const n = baseline.sorted.length;
  const m = current.sorted.length;
  const pValue = ksAutoP(rows.ks, n, m);
  const normalized = rows.wasserstein / Math.max(populationStd(baseline.sorted), LEAST_STD);
  const ofRows: Record<string, StatisticResult | null> = {
    ks: {
      value: rows.ks,
      p_value: pValue,
      threshold: SIGNIFICANCE,
      threshold_on: "p_value",
      definition: `Evidently "ks": largest difference of the distribution functions; two-sided p-value as scipy's ks_2samp, drift at or below the threshold`,
    },
    wasserstein: {
      value: rows.wasserstein,
      normalized,
      threshold: DISTANCE,
      threshold_on: "normalized",
      definition: `Evidently "wasserstein": W1 on the rows, normalized by the baseline's population standard deviation (at least ${LEAST_STD}); drift at or above the threshold`,
    },
    energy: {
      value: rows.energy,
      threshold: DISTANCE,
      threshold_on: "value",
      definition: `Evidently "ed": energy distance on the rows; drift above the threshold`,
    },
    cramer_von_mises:
      Math.max(n, m) <= 20
        ? null // scipy counts every arrangement of so few rows
        : {
            value: rows.cramer_von_mises.value,
            p_value: rows.cramer_von_mises.pValue,
            threshold: DISTANCE,
            threshold_on: "p_value",
            definition: `Evidently "cramer_von_mises": two-sample statistic T with midranks; asymptotic p-value, drift at or below the threshold`,
          },
  };
  if (different <= MOST_TESTED_AS_CATEGORIES) return judgeCategories(before, now, ofRows);
  const statistics = { ...ofRows, ...onBins({ baseline, current, before, now, storage }) };
  if (n <= MOST_ROWS_TESTED) {
    return byPValue("ks", statistics, { pValue, limit: SIGNIFICANCE, reached: "at-most", test: "KS test" });
  }
  return byDistance("wasserstein", statistics, {
    value: normalized,
    limit: DISTANCE,
    reached: "at-least",
    words: (value) => `Wasserstein distance ${value} of the baseline's standard deviation`,
  });
}

/** Both sides together are whole numbers only when each is. */
function bothOf({ baseline, current }: PresetColumn["storage"]): Storage {
  return baseline === "whole" && current === "whole" ? "whole" : "other";
}

interface Counts {
  readonly reference: readonly number[];
  readonly current: readonly number[];
}

function byJensenShannon(counts: Counts, statistics: Finding["statistics"]): Finding {
  return byDistance("jensen_shannon", statistics, {
    value: naturalJensenShannon(counts),
    limit: DISTANCE,
    reached: "at-least",
    words: (value) => `Jensen–Shannon distance ${value} with natural logarithms`,
  });
}

function onBins({
  baseline,
  current,
  before,
  now,
  storage,
}: {
  readonly baseline: NumericSide;
  readonly current: NumericSide;
  readonly before: ReadonlyMap<number, number>;
  readonly now: ReadonlyMap<number, number>;
  readonly storage: Storage;
}): Record<string, StatisticResult> {
  const range = {
    min: Math.min(baseline.sorted[0] ?? 0, current.sorted[0] ?? 0),
    max: Math.max(baseline.sorted.at(-1) ?? 0, current.sorted.at(-1) ?? 0),
    storage,
  };
  const binned = (edges: readonly number[]): Counts => ({
    reference: countInBins(baseline.sorted, edges),
    current: countInBins(current.sorted, edges),
  });
  const different = new Set([...before.keys(), ...now.keys()]).size;
  // Hellinger takes its number of bins from the different values, PSI and the others from all rows.
  const forHellinger = binned(sturgesEdges({ ...range, size: different }));
  if (before.size <= MOST_BINS_BY_VALUE) {
    return {
      ...onCounts(pairCounts(before, now), "every value a bin"),
      hellinger: hellingerOn(forHellinger),
    };
  }
  const edges = sturgesEdges({ ...range, size: baseline.sorted.length + current.sorted.length });
  const bins = `${edges.length - 1} bins of one width over both sides (Sturges)`;
  return { ...onCounts(binned(edges), bins), hellinger: hellingerOn(forHellinger) };
}

function onCounts(counts: Counts, bins: string): Record<string, StatisticResult> {
  const p = filled(counts.reference);
  const q = filled(counts.current);
  const [sumP, sumQ] = [sum(p), sum(q)];
  const each = (term: (p: number, q: number) => number) =>
    p.reduce((total, share, i) => total + term(share, q[i] ?? 0), 0);
  const result = (value: number, text: string): StatisticResult => ({
    value,
    threshold: DISTANCE,
    threshold_on: "value",
    definition: `Evidently ${text}, ${bins}; drift at or above the threshold`,
  });
  return {
    jensen_shannon: result(
      naturalJensenShannon(counts),
      `"jensenshannon": square root of the divergence with natural logarithms`,
    ),
    psi: result(
      each((a, b) => (a - b) * Math.log(a / b)),
      `"psi": sum of (p - q) ln(p / q), an empty share raised to 1e-4 (or a millionth of the smallest)`,
    ),
    kl: result(
      each((a, b) => (a / sumP) * Math.log(a / sumP / (b / sumQ))),
      `"kl_div": sum of p ln(p / q), baseline against current, empty shares raised as for PSI`,
    ),
    hellinger: hellingerOn(counts),
  };
}

function hellingerOn(counts: Counts): StatisticResult {
  return {
    value: hellinger(counts.reference, counts.current),
    threshold: DISTANCE,
    threshold_on: "value",
    definition: `Evidently "hellinger": root of 1 less the sum of the roots of the products of shares; categories, or Sturges' bins for the different values; drift at or above the threshold`,
  };
}

/** Jensen–Shannon distance with natural logarithms: 0.8326 of the one with base 2. */
function naturalJensenShannon({ reference, current }: Counts): number {
  return jensenShannonDistance(reference, current) * Math.sqrt(Math.LN2);
}

/** Shares in which an empty one is 1e-4, or a millionth of the smallest when that is at most 1e-4; not scaled to 1 again. */
function filled(counts: readonly number[]): number[] {
  const total = sum(counts);
  const shares = counts.map((count) => count / total);
  const least = Math.min(...shares.filter((share) => share > 0));
  const fill = least <= 1e-4 ? least / 1e6 : 1e-4;
  return shares.map((share) => (share === 0 ? fill : share));
}

interface Test {
  readonly name: string;
  readonly pValue: number;
  readonly result: StatisticResult;
}

/** The two-proportion z-test with the pooled share; its square is the chi-square of the 2 x 2 table. */
function zTest({ reference, current }: Counts): Test {
  const { value, pValue } = chiSquare(reference, current);
  return {
    name: "two-proportion z-test",
    pValue,
    result: {
      value,
      p_value: pValue,
      threshold: SIGNIFICANCE,
      threshold_on: "p_value",
      definition: `Evidently "z": square of the pooled two-proportion z; two-sided p-value, drift below the threshold`,
    },
  };
}

/** Goodness of fit of the current counts to the baseline's shares; a category that the baseline has not makes p = 0. */
function goodnessOfFit({ reference, current }: Counts): Test {
  const scale = sum(current) / sum(reference);
  const unseen = reference.some((count) => count === 0);
  const value = reference.reduce((total, count, i) => {
    const expected = count * scale;
    return expected === 0 ? total : total + ((current[i] ?? 0) - expected) ** 2 / expected;
  }, 0);
  const degreesOfFreedom = reference.length - 1;
  const pValue = unseen ? 0 : chiSquareSurvival(value, degreesOfFreedom);
  return {
    name: `chi-square goodness-of-fit test${unseen ? ", to which a category new to the baseline is impossible" : ""}`,
    pValue,
    result: {
      value: unseen ? Number.MAX_VALUE : value,
      p_value: pValue,
      degrees_of_freedom: degreesOfFreedom,
      threshold: SIGNIFICANCE,
      threshold_on: "p_value",
      definition: `Evidently "chisquare": goodness of fit to the baseline's shares (infinite, written as the largest double, when a category is new); drift below the threshold`,
    },
  };
}

function populationStd(sorted: Float64Array): number {
  const { std } = meanAndStd(sorted);
  return (std ?? 0) * Math.sqrt((sorted.length - 1) / sorted.length);
}
