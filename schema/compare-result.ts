import { z } from "zod";
import { columnResult, datasetResult } from "./drift-result.ts";

const side = z.object({ path: z.string(), rows: z.int() });
const common = {
  baseline: side,
  current: side,
  preset: z.string(),
  time_column: z.string().nullable(),
  elapsed_ms: z.number(),
};

/** One window of the current file; `from` and `to` are times, or row numbers for row windows. */
export const comparedWindow = z.object({
  from: z.union([z.string(), z.int()]),
  to: z.union([z.string(), z.int()]),
  rows: z.int(),
  columns: z.array(columnResult),
  dataset: datasetResult,
});
export type ComparedWindow = z.infer<typeof comparedWindow>;

/** What `leeway drift compare … --json` prints. */
export const compareResult = z.union([
  z.object({ ...common, columns: z.array(columnResult), dataset: datasetResult }),
  z.object({ ...common, windows: z.array(comparedWindow) }),
]);
export type CompareResult = z.infer<typeof compareResult>;
