import type { StatisticResult } from "../../schema/drift-result.ts";
import { meanAndStd } from "../baseline-column.ts";
import { chiSquareSurvival } from "../distributions/chi-square.ts";
import { ksAutoP } from "../distributions/ks-exact.ts";
import { jensenShannonDistance } from "../statistics/jensen-shannon.ts";
import { sortedSampleStatistics } from "../statistics/sorted-samples.ts";
import { countInBins, distinctCounts, pairCounts } from "./histograms.ts";
import {
  byDistance,
  type Finding,
  type NumericSide,
  notCompared,
  type Preset,
  type PresetColumn,
  sum,
} from "./preset.ts";

const THRESHOLD = 0.1;
const LEAST_STD = 0.001;
/** Whole numbers of which fewer than this share differ are categories. */
const CATEGORIES_BELOW_SHARE = 0.05;
/** Azure refuses the KS test from here on. */
const KS_BELOW_ROWS = 10_000;

/**
 * Azure Machine Learning's model monitoring (v2): the data-drift signal with its default metrics and thresholds.
 *
 * Numbers: W1 divided by the baseline's sample standard deviation (at least 0.001). Categories (text, booleans, and whole numbers of
 * which fewer than 5 % differ in the baseline): the Jensen–Shannon distance with base 2 over the categories of both sides. Drift is
 * a value above 0.1, and the signal fails when any feature drifts.
 *
 * Beside them the other metrics to choose from, which have no default threshold: Jensen–Shannon and PSI of numbers on
 * `ceil(log2(n) + 1)` bins of one width over both sides, n the rows of the smaller side; PSI with 1 added to every count and the rows left as they
 * are; the KS p-value, which Azure refuses from 10,000 rows on either side; chi-square goodness of fit to the baseline's shares.
 *
 * Azure leaves out every row in which any column is missing; here each column leaves out its own missing, NaN and infinite values, which is the same where
 * nothing is missing. Times are categories there and are not compared here. Where a side holds no value the job fails there.
 *
 * @see Azure/azureml-assets, assets/model_monitoring/components/src/data_drift_compute_metrics (MIT), defaults of azure-ai-ml's
 *   `DataDriftMetricThreshold`.
 * @example
 * azure.judgeDataset(1, 10).verdict; // "drifted"
 */
export const azure: Preset = {
  tool: "Azure ML",
  threshold: "fixed",
  onEmpty: "the job fails in Azure ML",
  judge,
  judgeDataset: (drifted, checked) => ({
    verdict: drifted > 0 ? "drifted" : "stable",
    because: `${drifted} of ${checked} features violate their threshold, and one is enough for the signal to fail`,
  }),
};

function judge(column: PresetColumn): Finding {
  const { baseline, current } = column;
  if (column.type === "timestamp")
    return notCompared("times are categories there, which says nothing of drift");
  if (baseline.kind === "categorical" && current.kind === "categorical")
    return judgeCategories(baseline.counts, current.counts);
  if (baseline.kind !== "numeric" || current.kind !== "numeric")
    throw new RangeError(`column "${column.name}" changed its kind`);
  const before = distinctCounts(baseline.sorted);
  const different = before.size + (baseline.missing > 0 ? 1 : 0);
  const asCategories =
    column.typeFrom === "found" &&
    column.storage.baseline === "whole" &&
    different / baseline.rows < CATEGORIES_BELOW_SHARE;
  return asCategories
    ? judgeCategories(before, distinctCounts(current.sorted))
    : judgeNumbers(baseline, current);
}

function judgeNumbers(baseline: NumericSide, current: NumericSide): Finding {
  const rows = sortedSampleStatistics(baseline.sorted, current.sorted);
  const [n, m] = [baseline.sorted.length, current.sorted.length];
  const normalized = rows.wasserstein / Math.max(meanAndStd(baseline.sorted).std ?? 0, LEAST_STD);
  const edges = edgesOf(baseline.sorted, current.sorted);
  const counts = {
    reference: countInBins(baseline.sorted, edges),
    current: countInBins(current.sorted, edges),
  };
  const bins = `${edges.length - 1} bins of one width over both sides`;
  const statistics: Finding["statistics"] = {
    wasserstein: {
      value: rows.wasserstein,
      normalized,
      threshold: THRESHOLD,
      threshold_on: "normalized",
      definition: `Azure ML "NormalizedWassersteinDistance": W1 on the rows, normalized by the baseline's sample standard deviation (at least ${LEAST_STD}); drift above the threshold`,
    },
    jensen_shannon: {
      value: jensenShannonDistance(counts.reference, counts.current),
      definition: jsText(bins),
    },
    psi: psiResult(counts, { n, m, bins }),
    ks:
      n < KS_BELOW_ROWS && m < KS_BELOW_ROWS
        ? {
            value: rows.ks,
            p_value: ksAutoP(rows.ks, n, m),
            definition: `Azure ML "TwoSampleKolmogorovSmirnovTest": largest difference of the distribution functions; its score is the two-sided p-value`,
          }
        : null,
  };
  return byDistance("wasserstein", statistics, {
    value: normalized,
    limit: THRESHOLD,
    reached: "above",
    words: (value) => `Wasserstein distance ${value} of the baseline's standard deviation`,
  });
}

function judgeCategories<Key>(before: ReadonlyMap<Key, number>, now: ReadonlyMap<Key, number>): Finding {
  const counts = pairCounts(before, now);
  const [n, m] = [sum(counts.reference), sum(counts.current)];
  const bins = "all categories of both sides";
  const value = jensenShannonDistance(counts.reference, counts.current);
  const statistics = {
    jensen_shannon: {
      value,
      threshold: THRESHOLD,
      threshold_on: "value",
      definition: `${jsText(bins)}; drift above the threshold`,
    },
    psi: psiResult(counts, { n, m, bins }),
    chi_square: goodnessOfFit(counts),
  } as const;
  return byDistance("jensen_shannon", statistics, {
    value,
    limit: THRESHOLD,
    reached: "above",
    words: (text) => `Jensen–Shannon distance ${text}`,
  });
}

function jsText(bins: string): string {
  return `Azure ML "JensenShannonDistance": square root of the base-2 divergence over ${bins}`;
}

/** Azure's edges, the last one the largest value itself. */
function edgesOf(a: Float64Array, b: Float64Array): number[] {
  const min = Math.min(a[0] ?? 0, b[0] ?? 0);
  const max = Math.max(a.at(-1) ?? 0, b.at(-1) ?? 0);
  if (min === max) return [min, max];
  const bins = Math.ceil(Math.log2(Math.min(a.length, b.length)) + 1);
  const width = (max - min) / bins;
  return [...Array.from({ length: bins }, (_, i) => min + i * width), max];
}

interface Counts {
  readonly reference: readonly number[];
  readonly current: readonly number[];
}

function psiResult(
  { reference, current }: Counts,
  { n, m, bins }: { readonly n: number; readonly m: number; readonly bins: string },
): StatisticResult {
  return {
    value: reference.reduce((total, count, i) => {
      const p = (count + 1) / n;
      const q = ((current[i] ?? 0) + 1) / m;
      return total + (q - p) * Math.log(q / p);
    }, 0),
    definition: `Azure ML "PopulationStabilityIndex": sum of (q - p) ln(q / p) over ${bins}, with 1 added to every count`,
  };
}

/** `null` for a category that is new: its expected count is 0 and the statistic infinite. */
function goodnessOfFit({ reference, current }: Counts): StatisticResult | null {
  const scale = sum(current) / sum(reference);
  if (reference.length < 2 || reference.includes(0)) return null;
  const value = sum(reference.map((count, i) => ((current[i] ?? 0) - count * scale) ** 2 / (count * scale)));
  return {
    value,
    p_value: chiSquareSurvival(value, reference.length - 1),
    degrees_of_freedom: reference.length - 1,
    definition: `Azure ML "PearsonsChiSquaredTest": goodness of fit to the baseline's shares; its score is the p-value`,
  };
}
