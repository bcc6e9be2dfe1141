import type { StatisticResult } from "../../schema/drift-result.ts";
import { rowsUpTo } from "../baseline-column.ts";
import { jensenShannonDistance } from "../statistics/jensen-shannon.ts";
import { lInfinity } from "../statistics/l-infinity.ts";
import { evenEdges, pairCounts } from "./histograms.ts";
import {
  byDistance,
  type Finding,
  type NumericSide,
  notCompared,
  type Preset,
  type PresetColumn,
  sum,
} from "./preset.ts";

/** TFDV has none; this is the value commonly given for Vertex AI. */
const THRESHOLD = 0.3;
const BUCKETS = 10;
/** Categories that a rank histogram holds. */
const MOST_CATEGORIES = 1_000;

/**
 * TensorFlow Data Validation 1.16, and Vertex AI's model monitoring, which computes with it.
 *
 * Numbers: the approximate Jensen–Shannon divergence: base 2, without the square root, at most 1. Each side has 10 buckets of one width
 * over its own range; both are cut at the edges of either, rows spread evenly within a bucket. A side with one value only is a point that
 * meets only the same point; NaN and ±inf of one side never meet those of the other, so that equal shares of them count as drift. Categories: the
 * L-infinity distance of the shares among the 1,000 most frequent values of each side; their divergence is shown beside it. Missing values are left out.
 *
 * TFDV has no default threshold and checks only features that have one; here it is 0.3 for all, the value commonly given for Vertex AI.
 * Drift is a value above it, and the data set has an anomaly when any feature has.
 *
 * TFDV takes the buckets from a quantile sketch (rank error 1 %); here the rows are counted, each bucket with its upper edge. A side
 * of which all numbers are infinite or NaN has "no value" here. Where a side holds no value TFDV gives no measurement and no anomaly. Times are
 * text or seconds there and are not compared here.
 *
 * @see tensorflow_data_validation/anomalies/metrics.cc and utils/quantiles_util.py of tensorflow-data-validation 1.16.1 (Apache-2.0).
 * @example
 * tfdv.judgeDataset(1, 10).verdict; // "drifted"
 */
export const tfdv: Preset = {
  tool: "TFDV",
  threshold: "fixed",
  onEmpty: "TFDV measures nothing here and reports no anomaly",
  judge,
  judgeDataset: (drifted, checked) => ({
    verdict: drifted > 0 ? "drifted" : "stable",
    because: `${drifted} of ${checked} features have a drift anomaly, and one is enough`,
  }),
};

function judge(column: PresetColumn): Finding {
  const { baseline, current } = column;
  if (column.type === "timestamp") return notCompared("times are text or seconds there");
  if (baseline.kind === "categorical" && current.kind === "categorical") {
    const counts = pairCounts(mostFrequent(baseline.counts), mostFrequent(current.counts));
    const value = lInfinity(counts.reference, counts.current);
    const statistics = {
      l_infinity: result(
        value,
        `"infinity_norm": largest difference of shares among the ${MOST_CATEGORIES} most frequent values of each side`,
      ),
      jensen_shannon: result(
        jensenShannonDistance(counts.reference, counts.current) ** 2,
        `"jensen_shannon_divergence": base 2, no square root, over the ${MOST_CATEGORIES} most frequent values of each side`,
      ),
    };
    return byDistance("l_infinity", statistics, {
      value,
      limit: THRESHOLD,
      reached: "above",
      words: (text) => `L-infinity distance ${text}`,
    });
  }
  if (baseline.kind !== "numeric" || current.kind !== "numeric")
    throw new RangeError(`column "${column.name}" changed its kind`);
  const value = alignedDivergence(histogramOf(baseline), histogramOf(current));
  return byDistance(
    "jensen_shannon",
    {
      jensen_shannon: result(
        value,
        `"jensen_shannon_divergence": base 2, no square root, on ${BUCKETS} buckets of one width per side, both cut at all edges`,
      ),
    },
    {
      value,
      limit: THRESHOLD,
      reached: "above",
      words: (text) => `Jensen–Shannon divergence ${text} (no square root)`,
    },
  );
}

/** A side as TFDV sums it up: buckets of one width, or a point, and what is no finite number. */
export interface TfdvHistogram {
  /** Ascending; two equal ones are a point. */
  readonly edges: readonly number[];
  /** Rows per bucket: one fewer than edges. */
  readonly counts: readonly number[];
  readonly nan: number;
  readonly infinite: number;
}

function histogramOf({ sorted, nan, infinite }: NumericSide): TfdvHistogram {
  const min = sorted[0] ?? 0;
  const max = sorted.at(-1) ?? 0;
  if (min === max) return { edges: [min, max], counts: [sorted.length], nan, infinite };
  const edges = evenEdges(min, max, BUCKETS);
  const upTo = edges.slice(1).map((edge) => rowsUpTo(sorted, edge));
  return { edges, counts: upTo.map((rows, i) => rows - (upTo[i - 1] ?? 0)), nan, infinite };
}

/**
 * Jensen–Shannon divergence (base 2, no square root) of two histograms whose buckets differ: both are cut at the edges of either,
 * rows spread evenly within a bucket. Points meet equal points only; NaN and infinite values of one side meet nothing.
 *
 * @throws RangeError when a side holds nothing.
 * @example
 * alignedDivergence({ edges: [1, 2, 3], counts: [2, 2], nan: 0, infinite: 0 },
 *   { edges: [2, 4, 6], counts: [2, 2], nan: 0, infinite: 0 }); // 0.65563906
 */
export function alignedDivergence(reference: TfdvHistogram, current: TfdvHistogram): number {
  const cuts = [...new Set([reference, current].flatMap(({ edges }) => (isPoint(edges) ? [] : edges)))].sort(
    (a, b) => a - b,
  );
  const points = [
    ...new Set([reference, current].flatMap(({ edges }) => (isPoint(edges) ? [edges[0] ?? 0] : []))),
  ];
  const aligned = (side: TfdvHistogram) => [
    ...split(side, cuts),
    ...points.map((point) => (isPoint(side.edges) && side.edges[0] === point ? sum(side.counts) : 0)),
  ];
  const apart = [reference.infinite, reference.nan];
  const apartNow = [current.infinite, current.nan];
  const nothing = [0, 0];
  return (
    jensenShannonDistance(
      [...aligned(reference), ...apart, ...nothing],
      [...aligned(current), ...nothing, ...apartNow],
    ) ** 2
  );
}

function isPoint(edges: readonly number[]): boolean {
  return edges.length === 2 && edges[0] === edges[1];
}

function split({ edges, counts }: TfdvHistogram, cuts: readonly number[]): number[] {
  const pieces = new Array<number>(Math.max(0, cuts.length - 1)).fill(0);
  if (isPoint(edges)) return pieces;
  let bucket = 0;
  return pieces.map((_, i) => {
    const [from = 0, to = 0] = [cuts[i], cuts[i + 1]];
    while (bucket < counts.length && (edges[bucket + 1] ?? 0) <= from) bucket += 1;
    const [low = 0, high = 0] = [edges[bucket], edges[bucket + 1]];
    if (bucket >= counts.length || from < low) return 0;
    return ((to - from) / (high - low)) * (counts[bucket] ?? 0);
  });
}

function mostFrequent(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  if (counts.size <= MOST_CATEGORIES) return counts;
  return new Map([...counts].sort(([, a], [, b]) => b - a).slice(0, MOST_CATEGORIES));
}

function result(value: number, text: string): StatisticResult {
  return {
    value,
    threshold: THRESHOLD,
    threshold_on: "value",
    definition: `TFDV ${text}; drift above the threshold`,
  };
}
