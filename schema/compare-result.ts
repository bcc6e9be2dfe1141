import { z } from "zod";
import { budget, columnResult, datasetResult } from "./drift-result.ts";
import { presetName } from "./preset-name.ts";

const side = z.object({ path: z.string(), rows: z.int() });
const common = {
  baseline: side,
  current: side,
  preset: presetName,
  time_column: z.string().nullable(),
  elapsed_ms: z.number(),
};

/** As a window's; a preset of another tool keeps to no budget: `null`. */
export const comparedDataset = datasetResult.extend({ budget: budget.nullable() });
export type ComparedDataset = z.infer<typeof comparedDataset>;

/** One window of the current file; `from` and `to` are times, or row numbers for row windows. */
export const comparedWindow = z.object({
  from: z.union([z.string(), z.int()]),
  to: z.union([z.string(), z.int()]),
  rows: z.int(),
  columns: z.array(columnResult),
  dataset: comparedDataset,
});
export type ComparedWindow = z.infer<typeof comparedWindow>;

/** What `leeway drift compare … --json` prints. */
export const compareResult = z.union([
  z.object({ ...common, columns: z.array(columnResult), dataset: comparedDataset }),
  z.object({ ...common, windows: z.array(comparedWindow) }),
]);
export type CompareResult = z.infer<typeof compareResult>;
