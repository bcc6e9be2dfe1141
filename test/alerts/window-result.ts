import type { ColumnResult, Verdict, WindowResult } from "../../schema/drift-result.ts";

/** Distance of flights that arrives in kilometres, as the monitor judges it. */
export const distanceInKilometres: ColumnResult = {
  name: "distance",
  type: "numeric",
  verdict: "quality",
  reason: "data quality: values are 1.609 times those of the baseline, as miles in kilometres",
  primary: "psi",
  p_value: 3e-157,
  effect: 0.412,
  minimum_effect: 0.1,
  statistics: {},
  baseline: {
    count: 8_645,
    missing: 0,
    mean: 726.4,
    std: 571.1,
    min: 21,
    max: 4_962,
    bins: [
      { from: null, to: 400, count: 2_593 },
      { from: 400, to: 900, count: 3_458 },
      { from: 900, to: null, count: 2_594 },
    ],
  },
  current: {
    count: 1_200,
    missing: 36,
    mean: 1_169.1,
    std: 919.1,
    min: 34,
    max: 7_985.6,
    bins: [
      { from: null, to: 400, count: 96 },
      { from: 400, to: 900, count: 360 },
      { from: 900, to: null, count: 708 },
    ],
  },
  quality: [],
  calibration: null,
  cause: {
    kind: "unit-change",
    detail: "values are 1.609 times those of the baseline, as miles in kilometres",
    factor: 1.609,
  },
};

export const originShifted: ColumnResult = {
  ...distanceInKilometres,
  name: "origin",
  type: "categorical",
  verdict: "drifted",
  reason: "JS distance 0.231: chance passes 0.044 at 1200 rows once in 600",
  p_value: 0.000_042,
  effect: 0.231,
  baseline: {
    count: 8_645,
    missing: 0,
    categories: [
      { category: "ATL", count: 4_000 },
      { category: "ORD", count: 4_000 },
      { category: "DFW", count: 645 },
    ],
  },
  current: {
    count: 1_200,
    missing: 0,
    categories: [
      { category: "ATL", count: 300 },
      { category: "ORD", count: 600 },
      { category: "DFW", count: 300 },
    ],
  },
  cause: { kind: "shift", detail: "the distribution has changed; no simple fault explains it" },
};

/** A daily window of the model `flights`, day 1 being 2001-04-01. */
export function windowResult(
  verdict: Verdict,
  { day = 1, columns, ...more }: Partial<WindowResult> & { readonly day?: number } = {},
): WindowResult {
  const shown =
    columns ?? { drifted: [originShifted], quality: [distanceInKilometres] }[verdict as string] ?? [];
  const drifted = shown.filter((column) => column.verdict === "drifted").length;
  const from = new Date(Date.UTC(2001, 3, day)).toISOString();
  const to = new Date(Date.UTC(2001, 3, day + 1)).toISOString();
  return {
    model: "flights",
    version: "1",
    monitor: "daily",
    from,
    to,
    rows: 1_200,
    labelled: null,
    dataset: {
      verdict,
      drifted,
      checked: 6,
      reason: `${verdict} for a reason`,
      budget: {
        false_alarms: "0.01",
        per_window: 0.01,
        correction: "holm",
        selection: "benjamini-hochberg",
      },
    },
    columns: shown,
    computed_at: to,
    ...more,
  };
}
