import { lInfinity } from "../statistics/l-infinity.ts";
import { sortedSampleStatistics } from "../statistics/sorted-samples.ts";
import { pairCounts } from "./histograms.ts";
import {
  byDistance,
  type Finding,
  notCompared,
  type Preset,
  type PresetColumn,
  short,
  sum,
} from "./preset.ts";

const THRESHOLD = 0.1;
/** c(alpha) of alpha = 0.003. */
const C_ALPHA = 1.8;

/**
 * SageMaker Model Monitor: the baseline drift check of its data-quality monitor as its suggested `constraints.json` sets it
 * (`comparison_method` Robust, `categorical_drift_method` LInfinity, both thresholds 0.1).
 *
 * Numbers: the largest difference of the distribution functions; categories: the largest difference of a category's shares; of each
 * `1.8 sqrt((n + m) / (n m))` is taken off for chance, down to 0 at the least. A violation is a distance above the threshold, and one
 * violation is enough for the execution to have violations. Missing values, NaN and ±inf are left out.
 *
 * SageMaker takes the distribution functions from KLL sketches; here all rows count. Of its other checks missing and extra columns
 * are told as by every preset; data types, completeness and unknown categories are not judged here (the default preset judges them).
 * Where a side holds no value SageMaker has no sketch and makes no comparison. Times are strings there and are not compared here.
 *
 * @see com.amazon.deequ.analyzers.Distance of deequ (Apache-2.0); Amazon SageMaker guide, "Schema for Constraints".
 * @example
 * sagemaker.judgeDataset(1, 10).verdict; // "drifted"
 */
export const sagemaker: Preset = {
  tool: "SageMaker",
  threshold: "fixed",
  onEmpty: "SageMaker makes no comparison here",
  judge,
  judgeDataset: (drifted, checked) => ({
    verdict: drifted > 0 ? "drifted" : "stable",
    because: `${drifted} of ${checked} features violate the baseline drift check, and one is enough`,
  }),
};

function judge(column: PresetColumn): Finding {
  const { baseline, current } = column;
  if (column.type === "timestamp") return notCompared("times are strings there");
  if (baseline.kind === "categorical" && current.kind === "categorical") {
    const counts = pairCounts(baseline.counts, current.counts);
    const sizes = { n: sum(counts.reference), m: sum(counts.current) };
    return byRobust(
      "l_infinity",
      lInfinity(counts.reference, counts.current),
      sizes,
      "difference of a category's shares",
    );
  }
  if (baseline.kind !== "numeric" || current.kind !== "numeric")
    throw new RangeError(`column "${column.name}" changed its kind`);
  const { ks } = sortedSampleStatistics(baseline.sorted, current.sorted);
  const sizes = { n: baseline.sorted.length, m: current.sorted.length };
  return byRobust("ks", ks, sizes, "difference of the distribution functions");
}

interface Sizes {
  readonly n: number;
  readonly m: number;
}

function byRobust(name: "ks" | "l_infinity", simple: number, sizes: Sizes, what: string): Finding {
  const chance = distanceOfChance(sizes);
  const value = Math.max(0, simple - chance);
  const definition = `SageMaker "linf_robust": largest ${what} less ${C_ALPHA} sqrt((n + m) / (n m)), at least 0; drift above the threshold`;
  return byDistance(
    name,
    { [name]: { value, threshold: THRESHOLD, threshold_on: "value", definition } },
    {
      value,
      limit: THRESHOLD,
      reached: "above",
      words: (text) => `L-infinity distance ${text} (${short(simple)} less ${short(chance)} for chance)`,
    },
  );
}

/**
 * What SageMaker's robust distance takes off: the two-sample KS distance that chance passes with probability 0.003.
 *
 * @example
 * distanceOfChance({ n: 100, m: 100 }); // 0.2546
 */
export function distanceOfChance({ n, m }: Sizes): number {
  return C_ALPHA * Math.sqrt((n + m) / (n * m));
}
