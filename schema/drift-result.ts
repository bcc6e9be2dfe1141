import { z } from "zod";

/** What is said of a column or a window. `error` means that the check itself failed; the reason says why. */
export const verdict = z.enum(["stable", "drifted", "too-few", "quality", "error"]);
export type Verdict = z.infer<typeof verdict>;

export const columnType = z.enum(["numeric", "categorical", "boolean", "timestamp"]);
export type ColumnType = z.infer<typeof columnType>;

export const statisticName = z.enum([
  "ks",
  "wasserstein",
  "psi",
  "jensen_shannon",
  "hellinger",
  "cramer_von_mises",
  "energy",
  "kl",
  "chi_square",
  "l_infinity",
  "tvd",
]);
export type StatisticName = z.infer<typeof statisticName>;

/** One statistic of one column. `p_value` and `threshold` are present where the statistic has a null distribution here. */
export const statisticResult = z.object({
  value: z.number(),
  p_value: z.number().optional(),
  threshold: z
    .number()
    .optional()
    .meta({ description: "The value to pass at these sample sizes, to keep to the budget" }),
  threshold_on: z
    .enum(["value", "normalized", "p_value"])
    .optional()
    .meta({ description: "What the threshold of another tool's preset is held against" }),
  normalized: z.number().nullable().optional(),
  degrees_of_freedom: z.number().optional(),
  definition: z.string(),
});
export type StatisticResult = z.infer<typeof statisticResult>;

const binCount = z.object({
  from: z.number().nullable(),
  to: z.number().nullable(),
  count: z.number(),
});
const categoryCount = z.object({ category: z.string(), count: z.number() });

/** One side of a comparison in numbers; `bins` for numeric and timestamp columns, `categories` otherwise. */
export const columnSummary = z.object({
  count: z.number().meta({
    description: "Rows, missing ones included; what they stand for, where only a sample was stored",
  }),
  missing: z.number(),
  effective_rows: z
    .number()
    .optional()
    .meta({ description: "How many rows the sample is worth; absent when all were stored" }),
  mean: z.number().nullable().optional(),
  std: z.number().nullable().optional(),
  min: z.number().nullable().optional(),
  max: z.number().nullable().optional(),
  bins: z.array(binCount).optional(),
  categories: z.array(categoryCount).optional(),
});
export type ColumnSummary = z.infer<typeof columnSummary>;

export const qualityCheck = z.object({
  check: z
    .string()
    .meta({ description: "missing, new_categories, out_of_range, type_mismatch, constant, empty, absent" }),
  value: z.number(),
  baseline: z.number().optional(),
  threshold: z.number().optional(),
  verdict: z.enum(["stable", "quality"]),
  reason: z.string().optional(),
});
export type QualityCheck = z.infer<typeof qualityCheck>;

/** How the null distribution of the deciding statistic was found. */
export const calibration = z.object({
  method: z.enum(["independent", "windows"]).meta({
    description:
      "independent: seeded resampling of the baseline's histogram. windows: moments of the baseline's own windows",
  }),
  windows: z.number().optional(),
  mean: z.number().meta({ description: "Mean of the scaled distance when nothing has changed (M)" }),
  variance: z.number().meta({ description: "Its variance (V)" }),
  degrees_of_freedom: z.number().meta({ description: "nu = 2 M^2 / V" }),
  design_effect: z
    .number()
    .meta({ description: "M / (k - 1): how many times fewer independent rows the window is worth" }),
});
export type Calibration = z.infer<typeof calibration>;

/** The likeliest cause of a column's change, in the words of an upstream engineer. */
export const cause = z.object({
  kind: z.enum(["unit-change", "shift", "new-categories", "missing", "type-change", "constant"]),
  detail: z.string(),
  factor: z.number().optional(),
});
export type Cause = z.infer<typeof cause>;

export const columnResult = z
  .object({
    name: z.string(),
    type: columnType,
    verdict,
    reason: z.string(),
    primary: statisticName.nullable(),
    p_value: z.number().nullable().meta({ description: "Of the primary statistic, calibrated" }),
    effect: z
      .number()
      .nullable()
      .meta({ description: "Effect size: the Jensen-Shannon distance, or KS where there are no bins" }),
    minimum_effect: z.number(),
    statistics: z.record(z.string(), statisticResult.nullable()),
    baseline: columnSummary.nullable(),
    current: columnSummary.nullable(),
    quality: z.array(qualityCheck),
    calibration: calibration.nullable(),
    cause: cause.nullable(),
  })
  .meta({ id: "ColumnResult" });
export type ColumnResult = z.infer<typeof columnResult>;

export const budget = z.object({
  false_alarms: z.string().meta({ description: "As the user stated it: a probability, or a count per time" }),
  per_window: z.number().meta({
    description: "Probability that a window without drift is called drifted, all features together",
  }),
  correction: z.literal("holm"),
  selection: z.literal("benjamini-hochberg"),
});
export type Budget = z.infer<typeof budget>;

export const datasetResult = z
  .object({
    verdict,
    drifted: z.int(),
    checked: z.int(),
    reason: z.string(),
    budget,
  })
  .meta({ id: "DatasetResult" });
export type DatasetResult = z.infer<typeof datasetResult>;

/** A monitor's result for one window: what is stored, shown, alerted on and sent to the trainer. */
export const windowResult = z
  .object({
    model: z.string(),
    version: z.string(),
    monitor: z.string(),
    from: z.string(),
    to: z.string(),
    rows: z.int(),
    labelled: z.number().nullable().meta({ description: "Share of the rows whose ground truth has arrived" }),
    dataset: datasetResult,
    columns: z.array(columnResult),
    computed_at: z.string(),
  })
  .meta({ id: "WindowResult" });
export type WindowResult = z.infer<typeof windowResult>;
