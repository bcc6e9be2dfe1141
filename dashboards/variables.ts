import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { datasource } from "./panel-spec.ts";
import { series, shownExcept, type Variable } from "./promql.ts";

/** What the reader can narrow the dashboard down to; each list knows the choices to its left. */
export const variables: readonly Builder<VariableModel>[] = [
  new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"),
  choice("job", "Job", series("leeway_ingest_queue_records")),
  choice("instance", "Instance", shownExcept("leeway_ingest_queue_records", "instance")),
  choice("model", "Model", shownExcept("leeway_records_total", "model")),
  choice("monitor", "Monitor", shownExcept("leeway_window_records", "monitor")),
  choice("feature", "Feature", shownExcept("leeway_drift_verdict", "feature")),
  choice("statistic", "Statistic", shownExcept("leeway_drift_statistic", "statistic")),
];

function choice(name: Variable, label: string, from: string): Builder<VariableModel> {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query(`label_values(${from}, ${name})`)
    .multi(true)
    .includeAll(true)
    .allValue(".*")
    .current({ selected: true, text: ["All"], value: ["$__all"] })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalCaseInsensitiveAsc);
}
