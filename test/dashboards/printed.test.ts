import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { printedFiles } from "../../dashboards/printed-files.ts";
import { processMetrics } from "../../dashboards/promql.ts";
import { metricTable } from "../../schema/metrics.ts";
import { type PrintedPanel, printed, printedQueries, printedVariables } from "./printed-dashboard.ts";
import { readCommitted } from "./prometheus-tools.ts";

const ROOT = join(import.meta.dirname, "../..");

interface PrintedRule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const rules = (
  parse(readCommitted("prometheus/leeway-rules.yml")) as { groups: { rules: PrintedRule[] }[] }
).groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const panels = printed.panels.filter(({ type }) => type !== "row");

describe("the committed files", () => {
  it.each([...printedFiles()])("%s is what `npm run dashboards` prints", (path, text) => {
    expect(readCommitted(path)).toBe(text);
  });

  it("are all printed: nothing old is left lying", () => {
    const committed = ["grafana", "prometheus"].flatMap((folder) =>
      readdirSync(join(ROOT, "dashboards", folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(join(ROOT, "dashboards/").length)),
    );
    expect(committed.toSorted()).toEqual([...printedFiles().keys()].toSorted());
  });
});

describe("metrics", () => {
  /** Few and bounded: an id, a raw value or a text of the user's would make a series of its own each. */
  const ALLOWED = new Set([
    "model",
    "version",
    "monitor",
    "feature",
    "statistic",
    "metric",
    "kind",
    "check",
    "outcome",
    "window",
    "verdict",
    "severity",
    "channel",
    "subscription",
    "target",
    "deployment",
    "protocol",
    "code",
  ]);

  it.each(Object.entries(metricTable))("%s has bounded labels", (_, { labels }) => {
    expect(labels.filter((label) => !ALLOWED.has(label))).toEqual([]);
  });

  it("are all shown by a panel or watched by a rule", () => {
    const asked = [...printedQueries, ...rules].flatMap(({ expr }) => metricsIn(expr));
    const unused = Object.keys(metricTable).filter((name) => !asked.includes(name));
    expect(unused).toEqual([]);
  });

  it("are the only ones that are asked for", () => {
    const known = new Set<string>([...Object.keys(metricTable), ...processMetrics]);
    const expressions = [
      ...printedQueries,
      ...rules,
      ...printedVariables.map(({ selector }) => ({ expr: selector })),
    ];
    const unknown = expressions.flatMap(({ expr }) => metricsIn(expr)).filter((name) => !known.has(name));
    expect(unknown).toEqual([]);
  });
});

describe("the dashboard", () => {
  it("has the schema version Grafana reads without converting, an id and a title", () => {
    expect(printed).toMatchObject({
      schemaVersion: 42,
      uid: "leeway",
      title: "Leeway: models in production",
    });
  });

  it("gives every panel its own id", () => {
    const ids = printed.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every(Number.isInteger)).toBe(true);
  });

  it("keeps every panel within 24 columns and off the others", () => {
    for (const panel of printed.panels) {
      const { x, w, h } = panel.gridPos;
      expect(x >= 0 && w > 0 && h > 0 && x + w <= 24, panel.title).toBe(true);
    }
    const overlapping = printed.panels.flatMap((a, i) =>
      printed.panels.slice(i + 1).flatMap((b) => (overlap(a, b) ? [`${a.title} over ${b.title}`] : [])),
    );
    expect(overlapping).toEqual([]);
  });

  it("leaves no hole beside a panel", () => {
    const filled = printed.panels.reduce((sum, { gridPos: { w, h } }) => sum + w * h, 0);
    const bottom = Math.max(...printed.panels.map(({ gridPos: { y, h } }) => y + h));
    expect(filled).toBe(24 * bottom);
  });

  it("starts with what matters at a glance", () => {
    expect(printed.panels.slice(0, 5).map(({ title }) => title)).toEqual([
      "At a glance",
      "Monitors that see drift",
      "Drifting since",
      "Features with a data fault",
      "Service",
    ]);
  });

  it.each(panels.map((panel) => [panel.title, panel] as const))(
    "%s says what it shows, in which unit, from the chosen data source",
    (_, panel) => {
      expect(panel.description?.length).toBeGreaterThan(10);
      expect(panel.fieldConfig?.defaults.unit).toBeTruthy();
      expect(panel.fieldConfig?.defaults.thresholds?.steps.length).toBeGreaterThan(0);
      expect(panel.targets?.length).toBeGreaterThan(0);
      const source = { type: "prometheus", uid: "$datasource" };
      expect([panel, ...(panel.targets ?? [])].map(({ datasource }) => datasource)).toEqual(
        [panel, ...(panel.targets ?? [])].map(() => source),
      );
      const manyLines = ["timeseries", "state-timeline", "bargauge"].includes(panel.type);
      if (manyLines) expect(panel.targets?.every(({ legendFormat }) => legendFormat)).toBe(true);
    },
  );

  it("gives no two panels one title", () => {
    const titles = panels.map(({ title }) => title);
    expect(
      titles.filter((title, index) => titles.indexOf(title) < index && !OF_TWO_ROWS.includes(title)),
    ).toEqual([]);
  });

  it("counts with windows that Grafana fits to the zoom", () => {
    const fixed = printedQueries.filter(({ expr }) => /\[(?!\$__rate_interval\]|\$__range\])/.test(expr));
    expect(fixed).toEqual([]);
  });

  it("lets the reader choose data source, job, instance, model, monitor, feature and statistic", () => {
    expect(printed.templating.list.map(({ name }) => name)).toEqual([
      "datasource",
      "job",
      "instance",
      "model",
      "monitor",
      "feature",
      "statistic",
    ]);
    const used = printedQueries.flatMap(({ expr }) =>
      [...expr.matchAll(/\$(?!__)(\w+)/g)].map(([, name]) => name),
    );
    expect(new Set(used)).toEqual(new Set(["job", "instance", "model", "monitor", "feature", "statistic"]));
  });
});

/** A count at a glance, and the same count over time further down. */
const OF_TWO_ROWS = ["Features with a data fault"];

describe("the rules", () => {
  it.each(alerts.map((rule) => [rule.alert ?? "", rule] as const))(
    "%s tells what, how bad and what to do",
    (name, rule) => {
      expect(rule.for).toMatch(/^\d+[mh]$/);
      expect(["warning", "critical"]).toContain(rule.labels?.severity);
      expect(rule.annotations?.summary?.length).toBeGreaterThan(10);
      expect(rule.annotations?.description?.length).toBeGreaterThan(20);
      const [path = "", anchor] = (rule.annotations?.runbook_url ?? "").split("#");
      expect(existsSync(join(ROOT, path))).toBe(true);
      expect(anchor).toBe(name.toLowerCase());
    },
  );

  it("have each a paragraph in the runbook, and the runbook has none besides", () => {
    const headings = [...readFileSync(join(ROOT, "docs/alerts.md"), "utf8").matchAll(/^### (\w+)$/gm)];
    expect(headings.map(([, heading]) => heading).toSorted()).toEqual(
      alerts.map(({ alert }) => alert).toSorted(),
    );
  });
});

function overlap({ gridPos: a }: PrintedPanel, { gridPos: b }: PrintedPanel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** The metrics of an expression; a histogram's series count as the histogram. */
function metricsIn(expr: string): string[] {
  const bare = expr
    .replaceAll(/\{[^}]*\}/g, "{}")
    .replaceAll(/\[[^\]]*\]/g, "")
    .replaceAll(/\b(by|on|group_left|group_right|without|ignoring) *\([^)]*\)/g, "");
  const words = bare.match(/(?<![\w:])[a-zA-Z_:][\w:]*\b(?! *\()/g) ?? [];
  return words
    .filter((word) => !["and", "or", "unless", "bool", "offset"].includes(word))
    .map((word) => word.replace(/_(bucket|sum|count)$/, ""));
}
