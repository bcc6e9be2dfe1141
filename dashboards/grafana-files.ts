import { leewayDashboard } from "./dashboard.ts";

const PRINTED = "# Printed by `npm run dashboards` from dashboards/*.ts: change it there.\n";

/** The dashboard as Grafana imports it. */
export function dashboardFile(): string {
  return `${JSON.stringify(leewayDashboard(), undefined, 2)}\n`;
}

/** Tells Grafana to load every dashboard beside it. */
export const dashboardProvider = `${PRINTED}#
# LEEWAY_DASHBOARDS is the folder that holds leeway.json, as an absolute path; see docs/dashboards.md.
apiVersion: 1
providers:
  - name: leeway
    type: file
    allowUiUpdates: false
    options:
      path: $LEEWAY_DASHBOARDS
`;

/** Gives a Grafana that has none yet a Prometheus to ask. Leave it out where there is one: the dashboard lets you choose. */
export const datasourceProvider = `${PRINTED}#
# Where Grafana has a Prometheus already, leave this file out: the dashboard offers those it finds.
apiVersion: 1
datasources:
  - name: Prometheus (Leeway)
    uid: leeway-prometheus
    type: prometheus
    access: proxy
    url: http://127.0.0.1:9090
    jsonData:
      timeInterval: 15s
`;
