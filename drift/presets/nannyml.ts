import type { StatisticName, StatisticResult } from "../../schema/drift-result.ts";
import { rowsUpTo } from "../baseline-column.ts";
import { chiSquareSurvival } from "../distributions/chi-square.ts";
import { hellinger } from "../statistics/hellinger.ts";
import { jensenShannonDistance } from "../statistics/jensen-shannon.ts";
import { lInfinity } from "../statistics/l-infinity.ts";
import { sortedSampleStatistics } from "../statistics/sorted-samples.ts";
import { countInBins, doaneEdges, evenEdges, pairCounts, rowsBelow } from "./histograms.ts";
import {
  byDistance,
  type CategoricalSide,
  type Finding,
  type NumericSide,
  notCompared,
  type Preset,
  type PresetColumn,
  type Side,
  sum,
  usableValues,
} from "./preset.ts";

/** Baselines of so many rows are counted on bins for KS and Wasserstein. */
const ESTIMATED_FROM_ROWS = 10_000;
const ESTIMATE_BINS = 10_000;
const DEVIATIONS = 3;
const SIGNIFICANCE = 0.05;

/**
 * NannyML 0.13: its `UnivariateDriftCalculator` with the default methods and thresholds.
 *
 * Missing values are left out. Every distance of a chunk of the baseline to the whole baseline is taken, and drift is a distance above
 * their mean plus 3 population standard deviations. The Jensen–Shannon distance (base 2) decides. Numbers: on Doane's bins of the
 * baseline, values outside of them in one more bin. Categories: those of the baseline, all others together one more. The chunks are as
 * long as the window; without a window the baseline falls into ten of `floor(rows / 10)` rows and the rest, in the order of the file, and the
 * current file is one chunk.
 *
 * Beside it the other methods with their thresholds: Hellinger on the same bins; KS and Wasserstein (in the feature's unit) on the rows,
 * with 10,000 baseline rows or more on 10,000 bins of one width over the baseline's range, which lifts Wasserstein a little wherever values
 * lie outside; L-infinity over all categories; the chi-square contingency statistic (Yates' correction with two categories), whose limit is p < 0.05.
 *
 * ±inf in the current data falls outside of the bins, and leaves KS and Wasserstein out (there NaN); in the baseline NannyML stops at
 * it, here it is left out. Where a side holds no value NannyML says NaN and never alerts. Times are left out. There is no rule for the data
 * set: here it has drifted when any column has.
 *
 * @see nannyml/drift/univariate/methods.py, thresholds.py and chunk.py of nannyml 0.13.1 (Apache-2.0).
 * @example
 * nannyml.judgeDataset(1, 10).verdict; // "drifted"
 */
export const nannyml: Preset = {
  tool: "NannyML",
  threshold: "from-chunks",
  onEmpty: "NannyML says NaN here and never alerts",
  judge,
  judgeDataset: (drifted, checked) => ({
    verdict: drifted > 0 ? "drifted" : "stable",
    because: `${drifted} of ${checked} columns alert; it has no rule for a whole data set, so that one alert is enough here`,
  }),
};

type Distances = Readonly<Partial<Record<StatisticName, number>>>;

function judge(column: PresetColumn): Finding {
  const { baseline, current, chunks } = column;
  if (column.type === "timestamp") return notCompared("it compares no times");
  const { measure, ofChunks } = calibrate(baseline, chunks);
  if (ofChunks.length === 0) return notCompared("no chunk of the baseline holds a value");
  const statistics: Record<string, StatisticResult | null> = {};
  const found = measure(current);
  for (const [name, text] of Object.entries(baseline.kind === "numeric" ? NUMERIC : CATEGORICAL)) {
    const value = found[name as StatisticName]; // the tables below have no other keys
    if (value === undefined) {
      statistics[name] = null;
      continue;
    }
    const limit = upperThreshold(ofChunks.flatMap((chunk) => chunk[name as StatisticName] ?? []));
    statistics[name] = {
      value,
      threshold: name === "ks" ? Math.min(1, limit) : limit,
      threshold_on: "value",
      definition: `NannyML ${text}; drift above the threshold, the mean plus ${DEVIATIONS} standard deviations over ${ofChunks.length} chunks of the baseline`,
    };
  }
  if (baseline.kind === "categorical" && current.kind === "categorical")
    statistics.chi_square = chiSquareResult(baseline, current);
  const decisive = statistics.jensen_shannon;
  if (!decisive) throw new RangeError(`column "${column.name}" has no Jensen-Shannon distance`);
  return byDistance("jensen_shannon", statistics, {
    value: decisive.value,
    limit: decisive.threshold ?? 0,
    reached: "above",
    words: (value) =>
      `Jensen–Shannon distance ${value}, held to the mean and ${DEVIATIONS} standard deviations of ${ofChunks.length} ${ofChunks.length === 1 ? "chunk" : "chunks"} of the baseline`,
  });
}

interface Calibration {
  readonly measure: (chunk: Side) => Distances;
  /** Of every chunk of the baseline that holds a value. */
  readonly ofChunks: readonly Distances[];
}

/** A column's chunks are the same for every window: what they gave is kept with them. */
const calibrations = new WeakMap<readonly Side[], Calibration>();

function calibrate(baseline: Side, chunks: readonly Side[]): Calibration {
  const known = calibrations.get(chunks);
  if (known) return known;
  const measure =
    baseline.kind === "numeric" ? numericDistances(baseline) : categoricalDistances(baseline.counts);
  const ofChunks = chunks
    .filter((chunk) => usableValues(chunk) > 0)
    .map((chunk) => measure(chunk.kind === "numeric" ? { ...chunk, infinite: 0 } : chunk));
  const found = { measure, ofChunks };
  calibrations.set(chunks, found);
  return found;
}

const NUMERIC = {
  jensen_shannon: `"jensen_shannon": square root of the base-2 divergence on Doane's bins of the baseline, values outside in one more`,
  hellinger: `"hellinger": Hellinger distance on the bins of jensen_shannon`,
  ks: `"kolmogorov_smirnov": largest difference of the distribution functions, from ${ESTIMATE_BINS} bins when the baseline has ${ESTIMATED_FROM_ROWS} rows or more`,
  wasserstein: `"wasserstein": W1 in the feature's unit, from ${ESTIMATE_BINS} bins when the baseline has ${ESTIMATED_FROM_ROWS} rows or more`,
} as const;

const CATEGORICAL = {
  jensen_shannon: `"jensen_shannon": square root of the base-2 divergence over the baseline's categories, all others as one more`,
  hellinger: `"hellinger": Hellinger distance over the baseline's categories, all others as one more`,
  l_infinity: `"l_infinity": largest difference of a category's shares`,
} as const;

/**
 * The mean and three population standard deviations more: what a chunk has to pass.
 *
 * @param values - The distances of the baseline's chunks; at least one.
 * @example
 * upperThreshold([1, 2, 3]); // 4.449: 2 + 3 sqrt(2 / 3)
 */
export function upperThreshold(values: readonly number[]): number {
  const mean = sum(values) / values.length;
  return mean + DEVIATIONS * Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / values.length);
}

function numericDistances(baseline: NumericSide): (chunk: Side) => Distances {
  const reference = baseline.sorted;
  const edges = doaneEdges(reference);
  const before = countInBins(reference, edges);
  const rowDistances =
    reference.length < ESTIMATED_FROM_ROWS
      ? (values: Float64Array) => {
          const { ks, wasserstein } = sortedSampleStatistics(reference, values);
          return { ks, wasserstein };
        }
      : estimatedDistances(reference);
  return (chunk) => {
    if (chunk.kind !== "numeric") throw new RangeError("a chunk changed its kind");
    const counts = countInBins(chunk.sorted, edges);
    const outside = chunk.sorted.length + chunk.infinite - sum(counts);
    const now = [...counts, outside];
    return {
      jensen_shannon: jensenShannonDistance([...before, 0], now),
      hellinger: hellinger([...before, 0], now),
      ...(chunk.infinite > 0 ? {} : rowDistances(chunk.sorted)),
    };
  };
}

/** KS and Wasserstein as NannyML estimates them for large baselines. */
function estimatedDistances(
  reference: Float64Array,
): (values: Float64Array) => { readonly ks: number; readonly wasserstein: number } {
  const low = reference[0] ?? 0;
  const high = reference.at(-1) ?? 0;
  const forKs = evenEdges(low, high, ESTIMATE_BINS);
  // A histogram of a constant is widened by half a unit to each side, edges given by the caller are not.
  const forWasserstein = low === high ? evenEdges(low - 0.5, high + 0.5, ESTIMATE_BINS) : forKs;
  const ksBefore = countInBins(reference, forKs);
  const before = low === high ? countInBins(reference, forWasserstein) : ksBefore;
  const first = forWasserstein[0] ?? 0;
  const last = forWasserstein.at(-1) ?? 0;
  const width = (forWasserstein[1] ?? 0) - first;
  return (values) => {
    const n = values.length;
    let gap = rowsBelow(values, forKs[0] ?? 0) / n;
    let largest = 0;
    countInBins(values, forKs).forEach((count, i) => {
      gap += count / n - (ksBefore[i] ?? 0) / reference.length;
      largest = Math.max(largest, Math.abs(gap));
    });
    const below = rowsBelow(values, first);
    const above = n - rowsUpTo(values, last);
    const short = sum([...values.subarray(0, below)].map((value) => first - value)) / n;
    const beyond = sum([...values.subarray(n - above)].map((value) => value - last)) / n;
    // NannyML adds the reference's own end to the values below it, and counts it: (below + 1) / n.
    let difference = below > 0 ? (below + 1) / n : 0;
    let within = 0;
    countInBins(values, forWasserstein).forEach((count, i) => {
      difference += count / n - (before[i] ?? 0) / reference.length;
      within += Math.abs(difference) * width;
    });
    return { ks: largest, wasserstein: within + short + beyond };
  };
}

function categoricalDistances(reference: ReadonlyMap<string, number>): (chunk: Side) => Distances {
  const categories = [...reference.keys()];
  const before = [...reference.values(), 0];
  return (chunk) => {
    if (chunk.kind !== "categorical") throw new RangeError("a chunk changed its kind");
    const known = categories.map((category) => chunk.counts.get(category) ?? 0);
    const now = [...known, sum([...chunk.counts.values()]) - sum(known)];
    const all = pairCounts(reference, chunk.counts);
    return {
      jensen_shannon: jensenShannonDistance(before, now),
      hellinger: hellinger(before, now),
      l_infinity: lInfinity(all.reference, all.current),
    };
  };
}

/** The contingency test as scipy's `chi2_contingency` has it: with two categories each count is moved by up to a half towards what is expected. */
function chiSquareResult(baseline: CategoricalSide, current: CategoricalSide): StatisticResult {
  const { reference, current: now } = pairCounts(baseline.counts, current.counts);
  const [m, n] = [sum(reference), sum(now)];
  const degreesOfFreedom = reference.length - 1;
  const half = degreesOfFreedom === 1 ? 0.5 : 0;
  const value = reference.reduce((total, a, i) => {
    const b = now[i] ?? 0;
    return [
      [a, ((a + b) * m) / (m + n)],
      [b, ((a + b) * n) / (m + n)],
    ].reduce((part, [seen = 0, expected = 0]) => {
      const away = Math.abs(seen - expected);
      return part + (away - Math.min(half, away)) ** 2 / expected;
    }, total);
  }, 0);
  return {
    value,
    p_value: degreesOfFreedom < 1 ? 1 : chiSquareSurvival(value, degreesOfFreedom),
    degrees_of_freedom: degreesOfFreedom,
    threshold: SIGNIFICANCE,
    threshold_on: "p_value",
    definition: `NannyML "chi2": contingency statistic, with Yates' correction for two categories; drift below the threshold`,
  };
}
