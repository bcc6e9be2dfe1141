import { dashboardFile, dashboardProvider, datasourceProvider } from "./grafana-files.ts";
import { rulesFile, scrapeFile } from "./rule-files.ts";

/** Every file that is printed and committed: its path within `dashboards/`, and its text. */
export function printedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["grafana/leeway.json", dashboardFile()],
    ["grafana/provisioning/dashboards/leeway.yaml", dashboardProvider],
    ["grafana/provisioning/datasources/leeway.yaml", datasourceProvider],
    ["prometheus/leeway-rules.yml", rulesFile()],
    ["prometheus/prometheus.yml", scrapeFile()],
  ]);
}
