import { bars, lines, timeline } from "../panels.ts";
import { queries } from "../queries.ts";
import { table } from "../table-panel.ts";
import { verdictColors, verdictMappings } from "../verdict-look.ts";

const FEATURE = "{{model}} / {{monitor}} / {{feature}}";
const STATISTIC = `${FEATURE} {{statistic}}`;

/** Which features, since when, how far. */
export const drift = {
  title: "Drift",
  panels: [
    timeline({
      title: "Verdict on each feature",
      says: "The verdict of the window that was last closed at each time. Red began when the first drifted window was checked.",
      unit: "none",
      width: 16,
      height: 12,
      asks: [{ expr: queries.verdicts, legend: FEATURE }],
      mappings: verdictMappings,
      noValue: "no window checked yet",
    }),
    table({
      title: "Features that are not stable now",
      says: "Every feature whose last window was not called stable, and how far its farthest statistic is past its threshold (1 is the threshold).",
      unit: "none",
      width: 8,
      height: 12,
      noValue: "",
      columns: [
        {
          name: "Verdict",
          expr: queries.verdictsNotStable,
          shows: [
            { id: "mappings", value: verdictMappings },
            { id: "custom.cellOptions", value: { type: "color-text" } },
          ],
        },
        {
          name: "Times its threshold",
          expr: queries.pastThresholdNotStable,
          shows: [{ id: "decimals", value: 1 }],
        },
      ],
    }),
    bars({
      title: "Farthest past their threshold",
      says: "Statistic over threshold, the 15 largest. Above 1 is further than chance explains at this window's size; the verdict also asks for the least effect set in the monitor.",
      unit: "suffix:x",
      width: 12,
      asks: [{ expr: queries.pastThresholdMost, legend: STATISTIC }],
      decimals: 2,
      min: 0,
      steps: [
        [null, "green"],
        [1, "red"],
      ],
      noValue: "no statistic yet",
    }),
    lines({
      title: "Drifted features",
      says: "Features called drifted in the last closed window, per monitor.",
      unit: "none",
      width: 12,
      asks: [{ expr: queries.driftedFeatures, legend: "{{model}} / {{monitor}}" }],
      decimals: 0,
      min: 0,
    }),
    lines({
      title: "Statistics over their thresholds",
      says: "Each statistic divided by the value it must pass at the window's size: lines of different features and sizes compare. The dashed line is the threshold. Narrow down by feature and statistic above.",
      unit: "suffix:x",
      width: 12,
      asks: [{ expr: queries.pastThreshold, legend: STATISTIC }],
      limits: "drawn",
      min: 0,
      steps: [
        [null, "green"],
        [1, "red"],
      ],
    }),
    lines({
      title: "Statistics as measured",
      says: "The values themselves, in each statistic's own unit. Choose one statistic above to compare lines.",
      unit: "none",
      width: 12,
      asks: [{ expr: queries.statistic, legend: STATISTIC }],
    }),
    lines({
      title: "Windows checked, by verdict",
      says: "How many windows were checked and what was said of them.",
      unit: "none",
      width: 24,
      height: 6,
      asks: [{ expr: queries.windowsByVerdict, legend: "{{verdict}}" }],
      stacked: "stacked",
      colors: verdictColors,
      min: 0,
    }),
  ],
} as const;
