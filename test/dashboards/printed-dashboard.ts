import { readCommitted } from "./prometheus-tools.ts";

interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat?: string;
  readonly datasource: unknown;
}

export interface PrintedPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly thresholds?: { readonly steps: readonly unknown[] };
    };
  };
}

export interface PrintedDashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly PrintedPanel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly query: string }[];
  };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
}

/** The dashboard as committed: what a user imports, not what the code would print. */
export const printed = JSON.parse(readCommitted("grafana/leeway.json")) as PrintedDashboard;

/** Every query of the printed dashboard and where it stands. */
export const printedQueries: readonly { readonly where: string; readonly expr: string }[] = [
  ...printed.panels.flatMap(({ title, targets }) =>
    (targets ?? []).map(({ refId, expr }) => ({ where: `${title} ${refId}`, expr })),
  ),
  ...printed.annotations.list.map(({ name, expr }) => ({ where: `annotation ${name}`, expr })),
];

/** The label and the selector of every variable that Prometheus fills. */
export const printedVariables = printed.templating.list.flatMap(({ name, query }) => {
  const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
  return selector === undefined || label === undefined ? [] : [{ name, selector, label }];
});

/** What Grafana puts in place of its variables when everything is chosen and a Prometheus scrapes every second. */
export function substituted(expr: string): string {
  return expr
    .replaceAll("$__rate_interval", "2m")
    .replaceAll("$__range", "10m")
    .replaceAll(/=~"\$\w+"/g, '=~".*"');
}
