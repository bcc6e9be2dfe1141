import { stringify } from "yaml";
import { type AlertRule, alertRules, expressionOf, JOB } from "./alert-rules.ts";
import { series } from "./promql.ts";

const PRINTED = "# Printed by `npm run dashboards` from dashboards/*.ts: change it there.\n";

/** Where the runbook is, from the root of the repository. */
const RUNBOOK = "docs/alerts.md";

/** How far a statistic is past its threshold, kept for longer than anyone keeps the two halves. */
const recordingRules = [
  {
    record: "leeway:drift_statistic:threshold_ratio",
    expr: `${series("leeway_drift_statistic")} / ${series("leeway_drift_threshold")}`,
  },
];

/** Alert and recording rules, as Prometheus reads them. */
export function rulesFile(): string {
  return yaml(PRINTED, {
    groups: [
      { name: "leeway.recording", rules: recordingRules },
      { name: "leeway.alerts", rules: alertRules.map(printed) },
    ],
  });
}

function printed(rule: AlertRule): object {
  return {
    alert: rule.alert,
    expr: expressionOf(rule),
    for: rule.for,
    labels: { severity: rule.severity },
    annotations: {
      summary: rule.summary,
      description: rule.description,
      runbook_url: `${RUNBOOK}#${rule.alert.toLowerCase()}`,
    },
  };
}

const SCRAPE_NOTES = `#
# A sample to start from: prometheus --config.file=prometheus.yml
# With API keys configured in Leeway, give the scrape one with the role "viewer":
#     authorization: { credentials_file: /etc/prometheus/leeway-key }
`;

/** A sample configuration that scrapes one Leeway on this machine and loads the rules beside it. */
export function scrapeFile(): string {
  return yaml(PRINTED + SCRAPE_NOTES, {
    global: { scrape_interval: "15s", evaluation_interval: "15s" },
    rule_files: ["leeway-rules.yml"],
    scrape_configs: [{ job_name: JOB, static_configs: [{ targets: ["127.0.0.1:8420"] }] }],
  });
}

/** As long as a line needs to be: a query folded over lines is hard to search for. */
function yaml(heading: string, content: object): string {
  return heading + stringify(content, { lineWidth: 0 });
}
