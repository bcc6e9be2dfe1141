import { bars, lines } from "../panels.ts";
import { queries } from "../queries.ts";

const COUNTED = [[null, "blue"]] as const;

/** Is anybody told, and does retraining come out of it. */
export const alerts = {
  title: "Alerts and retraining",
  panels: [
    lines({
      title: "Alerts firing, by severity",
      says: "Alerts of Leeway's own rules. Those of Prometheus are in its Alerts page and in Alertmanager.",
      unit: "none",
      width: 8,
      asks: [{ expr: queries.alertsBySeverity, legend: "{{severity}}" }],
      colors: { info: "blue", warning: "orange", critical: "red" },
      decimals: 0,
      min: 0,
    }),
    lines({
      title: "Messages not delivered yet",
      says: "Failed at least once and waiting for the next of ten attempts over three days. A line that stays means a receiver that is down.",
      unit: "none",
      width: 8,
      asks: [{ expr: queries.undeliveredByTarget, legend: "{{kind}} {{target}}" }],
      decimals: 0,
      min: 0,
      noValue: "all delivered",
    }),
    bars({
      title: "Notifications, by channel",
      says: "Within the time shown: delivered, retried (will be tried again) and failed (given up).",
      unit: "none",
      width: 8,
      asks: [{ expr: queries.notifications, legend: "{{channel}} {{outcome}}" }],
      decimals: 0,
      min: 0,
      steps: COUNTED,
      noValue: "none",
    }),
    bars({
      title: "Retraining runs",
      says: "Within the time shown, by the status they reached. Asked for and never started: the trainer's webhook does not answer.",
      unit: "none",
      width: 12,
      asks: [{ expr: queries.retrainRuns, legend: "{{model}} {{outcome}}" }],
      decimals: 0,
      min: 0,
      steps: COUNTED,
      noValue: "none",
    }),
    bars({
      title: "Other deliveries, by subscription",
      says: "Webhooks other than alert notifications, such as requests to retrain, within the time shown.",
      unit: "none",
      width: 12,
      asks: [{ expr: queries.deliveries, legend: "{{subscription}} {{outcome}}" }],
      decimals: 0,
      min: 0,
      steps: COUNTED,
      noValue: "none",
    }),
  ],
} as const;
