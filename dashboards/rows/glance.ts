import type { DynamicConfigValue } from "@grafana/grafana-foundation-sdk/dashboard";
import { MappingType } from "@grafana/grafana-foundation-sdk/dashboard";
import { stat } from "../panels.ts";
import { queries } from "../queries.ts";
import { table } from "../table-panel.ts";

const BAD_ABOVE_ZERO = [
  [null, "green"],
  [1, "red"],
] as const;

const red: DynamicConfigValue = {
  id: "thresholds",
  value: {
    mode: "absolute",
    steps: [
      { value: null, color: "text" },
      { value: 1, color: "red" },
    ],
  },
};
const coloredText: DynamicConfigValue = { id: "custom.cellOptions", value: { type: "color-text" } };
const ago: DynamicConfigValue = { id: "unit", value: "dateTimeFromNow" };

/** The first screen: is anything wrong, since when, is data arriving, is anybody told. */
export const glance = {
  title: "At a glance",
  panels: [
    stat({
      title: "Monitors that see drift",
      says: "Monitors whose last closed window has at least one drifted feature. Which ones: the table below.",
      unit: "none",
      width: 6,
      asks: [{ expr: queries.monitorsDrifting }],
      steps: BAD_ABOVE_ZERO,
      noValue: "no window checked yet",
    }),
    stat({
      title: "Drifting since",
      says: "Start of the first window of the longest drift that still goes on, in event time.",
      unit: "dateTimeFromNow",
      width: 6,
      asks: [{ expr: queries.driftingSince }],
      steps: [[null, "red"]],
      noValue: "no drift now",
    }),
    stat({
      title: "Features with a data fault",
      says: "Features whose last window failed a data-quality check (missing, new categories, out of range, wrong type …). A broken source, not a changed world: such a window never asks for retraining.",
      unit: "none",
      width: 6,
      asks: [{ expr: queries.dataFaults }],
      steps: [
        [null, "green"],
        [1, "orange"],
      ],
      noValue: "no window checked yet",
    }),
    stat({
      title: "Service",
      says: "Whether Prometheus reaches every chosen instance of Leeway.",
      unit: "none",
      width: 6,
      asks: [{ expr: queries.instancesUp }],
      mappings: [
        {
          type: MappingType.ValueToText,
          options: {
            "0": { text: "down", color: "red", index: 0 },
            "1": { text: "up", color: "green", index: 1 },
          },
        },
      ],
      noValue: "not scraped",
    }),
    stat({
      title: "Records stored per second",
      says: "Scoring records that became durable, all chosen models together. Nought for longer than usual: the scoring service or its sidecar no longer sends.",
      unit: "suffix:rec/s",
      width: 5,
      asks: [{ expr: queries.recordsStored }],
      course: "shown",
      decimals: 1,
      noValue: "no record yet",
    }),
    stat({
      title: "Labels joined, least of all models",
      says: "Share of the last closed window's records whose ground truth has arrived, for the model with the lowest. Labels come late by nature: compare with what is usual for the model.",
      unit: "percentunit",
      width: 5,
      asks: [{ expr: queries.labelsJoinedLeast }],
      min: 0,
      max: 1,
      noValue: "no labels yet",
    }),
    stat({
      title: "Alerts firing",
      says: "Alerts of Leeway's own rules that are firing, acknowledged ones left out.",
      unit: "none",
      width: 4,
      asks: [{ expr: queries.alertsFiring }],
      steps: BAD_ABOVE_ZERO,
      noValue: "0",
    }),
    stat({
      title: "Messages not delivered",
      says: "Alert notifications and requests to retrain that have failed and wait to be tried again, and notifications given up within the time shown: somebody was not told.",
      unit: "none",
      width: 5,
      asks: [
        { expr: queries.undelivered, legend: "waiting" },
        { expr: queries.notificationsFailed, legend: "given up" },
      ],
      decimals: 0,
      steps: BAD_ABOVE_ZERO,
      noValue: "0",
    }),
    stat({
      title: "Window checks overdue by",
      says: "How late the latest window check is. It grows when the scheduler stands still or cannot keep up.",
      unit: "s",
      width: 5,
      asks: [{ expr: queries.checkOverdueMost }],
      decimals: 0,
      steps: [
        [null, "green"],
        [300, "orange"],
        [3600, "red"],
      ],
      noValue: "no monitor yet",
    }),
    table({
      title: "Models and monitors",
      says: "One line per monitor, as of its last closed window. Times are event times.",
      unit: "none",
      width: 24,
      noValue: "",
      columns: [
        { name: "Drifted features", expr: queries.driftedFeatures, shows: [red, coloredText] },
        { name: "Drifting since", expr: queries.fleetSince, shows: [ago] },
        { name: "Drifted windows in a row", expr: queries.fleetDriftedWindows },
        { name: "Features with a data fault", expr: queries.faultyFeatures, shows: [red, coloredText] },
        {
          name: "Records in the window",
          expr: queries.windowRecords,
          shows: [{ id: "unit", value: "short" }],
        },
        { name: "Window end", expr: queries.fleetWindowEnd, shows: [{ id: "unit", value: "dateTimeAsIso" }] },
        { name: "Next check", expr: queries.fleetNextCheck, shows: [ago] },
      ],
    }),
  ],
} as const;
