import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type AlertRule, alertRules } from "../../dashboards/alert-rules.ts";
import { alertCases } from "./alert-cases.ts";
import { havePrometheus, promtool, WITHOUT_PROMETHEUS } from "./prometheus-tools.ts";

const RULES = join(import.meta.dirname, "../../dashboards/prometheus/leeway-rules.yml");
const folder = mkdtempSync(join(tmpdir(), "leeway-alert-rules-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Expected {
  readonly at: string;
  readonly alerts: readonly object[];
}

/** Has Prometheus's own unit test play the series through the committed rules. */
function play(
  alert: string,
  interval: string,
  series: Readonly<Record<string, string>>,
  expected: readonly Expected[],
) {
  const file = join(folder, `${alert}.yml`);
  const test = {
    rule_files: [RULES],
    evaluation_interval: interval,
    tests: [
      {
        interval,
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        alert_rule_test: expected.map(({ at, alerts }) => ({
          eval_time: at,
          alertname: alert,
          exp_alerts: alerts,
        })),
      },
    ],
  };
  writeFileSync(file, JSON.stringify(test)); // JSON is YAML
  promtool("test", "rules", file);
}

function ruleOf(name: string): AlertRule {
  const rule = alertRules.find(({ alert }) => alert === name);
  if (!rule) throw new RangeError(`no rule ${name}`);
  return rule;
}

describe.skipIf(!havePrometheus)(
  `the alert rules${havePrometheus ? "" : ` (skipped: ${WITHOUT_PROMETHEUS})`}`,
  () => {
    it("are valid, and so is the sample configuration that loads them", () => {
      promtool("check", "rules", RULES);
      promtool("check", "config", join(RULES, "../prometheus.yml"));
    });

    it("have cases that fire and cases that stay quiet, every one", () => {
      for (const { alert } of alertRules) {
        const cases = alertCases.filter((one) => one.alert === alert);
        expect(
          cases.some(({ fires }) => fires !== "never"),
          `${alert} fires`,
        ).toBe(true);
        expect(
          cases.some(({ fires }) => fires === "never"),
          `${alert} stays quiet`,
        ).toBe(true);
      }
    });

    it.each(alertCases)("$alert: $what", ({ alert, every, series, notYet, at, fires }) => {
      const rule = ruleOf(alert);
      const expected = [
        {
          exp_labels: { severity: rule.severity, ...(fires === "never" ? {} : fires.labels) },
          exp_annotations: {
            summary: fires === "never" ? "" : fires.summary,
            description: fires === "never" ? "" : fires.description,
            runbook_url: `docs/alerts.md#${alert.toLowerCase()}`,
          },
        },
      ];
      play(alert, every ?? "1m", series, [
        ...(notYet === undefined ? [] : [{ at: notYet, alerts: [] }]),
        { at, alerts: fires === "never" ? [] : expected },
      ]);
    });

    it("would not pass were an alert expected that does not come", () => {
      const series = { 'leeway_window_records{model="m",monitor="daily"}': "100x20" };
      expect(() => play("LeewayWindowEmpty", "1m", series, [{ at: "10m", alerts: [{}] }])).toThrow(/FAILED/);
    });
  },
);
