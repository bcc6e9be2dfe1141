import { bars, lines } from "../panels.ts";
import { queries } from "../queries.ts";

/** A broken source is not a changed world. */
export const dataQuality = {
  title: "Data quality",
  panels: [
    lines({
      title: "Features with a data fault",
      says: "Features whose last closed window failed a data-quality check, per monitor.",
      unit: "none",
      width: 8,
      asks: [{ expr: queries.faultyFeatures, legend: "{{model}} / {{monitor}}" }],
      decimals: 0,
      min: 0,
    }),
    bars({
      title: "Failed checks",
      says: "Data-quality checks that failed within the time shown, by check.",
      unit: "none",
      width: 8,
      asks: [{ expr: queries.failuresByCheck, legend: "{{model}} {{check}}" }],
      decimals: 0,
      min: 0,
      steps: [
        [null, "green"],
        [1, "orange"],
      ],
      noValue: "none",
    }),
    lines({
      title: "Values of the wrong type",
      says: "Values per second that did not fit their column's type. They are kept, and count as missing in the comparison.",
      unit: "suffix:values/s",
      width: 8,
      asks: [{ expr: queries.typeMismatches, legend: "{{model}}" }],
      min: 0,
    }),
    lines({
      title: "Features that could not be checked",
      says: "Features whose check itself failed in the last closed window; the reason is in the result (GET /v1/models/{model}/drift).",
      unit: "none",
      width: 12,
      asks: [{ expr: queries.uncheckedFeatures, legend: "{{model}} / {{monitor}}" }],
      decimals: 0,
      min: 0,
    }),
    lines({
      title: "Records in the last window",
      says: "Few records make a window that cannot be judged; none at all is a fault of its own.",
      unit: "short",
      width: 12,
      asks: [{ expr: queries.windowRecords, legend: "{{model}} / {{monitor}}" }],
      min: 0,
    }),
  ],
} as const;
