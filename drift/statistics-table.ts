import type { StatisticName, StatisticResult } from "../schema/drift-result.ts";
import { type BaselineColumn, isNumeric, type NumericBaseline, usableRows } from "./baseline-column.ts";
import { allCategories, cumulativeCounts, hasBins, testCounts } from "./binned.ts";
import { definition, type Source } from "./definitions.ts";
import { ksTwoSampleP } from "./distributions/kolmogorov.ts";
import { effectiveRows, type ObservedColumn, type ObservedNumeric } from "./observed-column.ts";
import { chiSquare } from "./statistics/chi-square.ts";
import { hellinger } from "./statistics/hellinger.ts";
import { jensenShannonDistance } from "./statistics/jensen-shannon.ts";
import { kl } from "./statistics/kl.ts";
import { ksFromBins } from "./statistics/ks-from-bins.ts";
import { lInfinity } from "./statistics/l-infinity.ts";
import { psi } from "./statistics/psi.ts";
import { tvd } from "./statistics/tvd.ts";

/** What can be said of a numeric column only with all rows at hand. */
export interface RowStatistics {
  readonly ks: { readonly value: number; readonly pValue: number };
  readonly wasserstein: number;
  readonly cramer_von_mises: { readonly value: number; readonly pValue: number };
  readonly energy: number;
}

export type StatisticsTable = Readonly<Partial<Record<StatisticName, StatisticResult | null>>>;

/** Every statistic of the contract for one column; `null` where it has no meaning here. */
export function statisticsTable(
  baseline: BaselineColumn,
  current: ObservedColumn,
  rows: RowStatistics | undefined,
): StatisticsTable {
  return isNumeric(baseline) && current.kind === "numeric"
    ? numericTable(baseline, current, rows)
    : categoricalTable(baseline, current);
}

function numericTable(
  baseline: NumericBaseline,
  current: ObservedNumeric,
  rows: RowStatistics | undefined,
): StatisticsTable {
  const source: Source = rows ? "rows" : "bins";
  const of = (name: StatisticName, value: number, more: Partial<StatisticResult> = {}): StatisticResult => ({
    value,
    ...more,
    definition: definition(name, "numeric", source),
  });
  const bins = hasBins(baseline) ? testCounts(baseline, current) : null;
  const cumulative = rows ? null : fromCumulative(baseline, current);
  const ks = rows?.ks ?? cumulative?.ks;
  const wasserstein = rows?.wasserstein ?? cumulative?.wasserstein;
  const energy = rows?.energy ?? cumulative?.energy;
  return {
    ks: ks ? of("ks", ks.value, { p_value: ks.pValue }) : null,
    wasserstein:
      wasserstein === undefined
        ? null
        : of("wasserstein", wasserstein, { normalized: baseline.std ? wasserstein / baseline.std : null }),
    psi: bins && of("psi", psi(bins.reference, bins.current)),
    jensen_shannon: bins && of("jensen_shannon", jensenShannonDistance(bins.reference, bins.current)),
    hellinger: bins && of("hellinger", hellinger(bins.reference, bins.current)),
    kl: bins && of("kl", kl(bins.reference, bins.current)),
    cramer_von_mises: rows
      ? of("cramer_von_mises", rows.cramer_von_mises.value, { p_value: rows.cramer_von_mises.pValue })
      : null,
    energy: energy === undefined ? null : of("energy", energy),
    chi_square: null,
  };
}

function categoricalTable(baseline: BaselineColumn, current: ObservedColumn): StatisticsTable {
  if (isNumeric(baseline) || current.kind !== "categorical")
    throw new RangeError(`column "${baseline.name}" changed its kind`);
  const pair = allCategories(baseline, current.counts);
  const of = (name: StatisticName, value: number, more: Partial<StatisticResult> = {}): StatisticResult => ({
    value,
    ...more,
    definition: definition(name, "categorical", "rows"),
  });
  // Counts of a sample tell as much as its rows do, not as those they stand for.
  const worth = current.sample ? effectiveRows(current) / usableRows(current) : 1;
  const counts = worth === 1 ? pair.current : pair.current.map((count) => count * worth);
  const test = pair.reference.length >= 2 ? chiSquare(pair.reference, counts) : null;
  const enough = pair.reference.length >= 2;
  return {
    chi_square:
      test &&
      of("chi_square", test.value, { p_value: test.pValue, degrees_of_freedom: test.degreesOfFreedom }),
    psi: enough ? of("psi", psi(pair.reference, pair.current)) : null,
    jensen_shannon: enough ? of("jensen_shannon", jensenShannonDistance(pair.reference, pair.current)) : null,
    hellinger: enough ? of("hellinger", hellinger(pair.reference, pair.current)) : null,
    l_infinity: enough ? of("l_infinity", lInfinity(pair.reference, pair.current)) : null,
    tvd: enough ? of("tvd", tvd(pair.reference, pair.current)) : null,
    kl: enough ? of("kl", kl(pair.reference, pair.current)) : null,
    ks: null,
  };
}

/** KS, Wasserstein and energy distance from cumulative counts, rows spread evenly within a bin. */
function fromCumulative(baseline: NumericBaseline, current: ObservedNumeric) {
  const m = usableRows(baseline);
  const n = usableRows(current);
  if (m === 0 || n === 0) return null;
  const { reference, current: counts } = cumulativeCounts(baseline, current);
  const value = ksFromBins(reference, counts);
  const low = baseline.min ?? 0;
  const high = baseline.max ?? 0;
  const first = baseline.fine_edges[0] ?? low;
  // One more point than bins: below, at the first edge (no width), between the edges, above.
  const points = [
    Math.min(low, current.min ?? low),
    first,
    ...baseline.fine_edges,
    Math.max(high, current.max ?? high),
  ];
  let before = 0;
  let gap = 0;
  let wasserstein = 0;
  let squared = 0;
  for (let bin = 0; bin < reference.length; bin += 1) {
    before = gap;
    gap += (counts[bin] ?? 0) / n - (reference[bin] ?? 0) / m;
    const width = (points[bin + 1] ?? 0) - (points[bin] ?? 0);
    wasserstein +=
      width *
      (before * gap >= 0
        ? Math.abs(before + gap) / 2
        : (before ** 2 + gap ** 2) / (2 * Math.abs(gap - before)));
    squared += (width * (before ** 2 + before * gap + gap ** 2)) / 3;
  }
  const pValue = ksTwoSampleP(value, m, effectiveRows(current));
  return { ks: { value, pValue }, wasserstein, energy: Math.sqrt(2 * squared) };
}
