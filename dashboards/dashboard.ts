import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  type Panel,
  RowBuilder,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { datasource } from "./panel-spec.ts";
import { queries } from "./queries.ts";
import { alerts } from "./rows/alerts.ts";
import { dataQuality } from "./rows/data-quality.ts";
import { deployments } from "./rows/deployments.ts";
import { drift } from "./rows/drift.ts";
import { glance } from "./rows/glance.ts";
import { ingest } from "./rows/ingest.ts";
import { process } from "./rows/process.ts";
import { variables } from "./variables.ts";

const ROWS: readonly { readonly title: string; readonly panels: readonly Builder<Panel>[] }[] = [
  glance,
  drift,
  dataQuality,
  ingest,
  deployments,
  alerts,
  process,
];

/** The one dashboard, from "is anything wrong" at the top to the process at the bottom. */
export function leewayDashboard(): Dashboard {
  const dashboard = new DashboardBuilder("Leeway: models in production")
    .uid("leeway")
    .description(
      "Is anything drifting now, since when, which features; is data arriving, are labels arriving, is anybody told, is the service well. Printed from dashboards/*.ts.",
    )
    .tags(["leeway", "machine-learning"])
    .time({ from: "now-7d", to: "now" })
    .timezone("browser")
    .refresh("1m")
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([...variables])
    .annotation(
      new AnnotationQueryBuilder()
        .name("Retraining asked for")
        .datasource(datasource)
        .enable(true)
        .iconColor("purple")
        .expr(queries.retrainAsked)
        .titleFormat("Retraining asked for")
        .textFormat("{{model}}")
        .step("60s"),
    );
  for (const { title, panels } of ROWS) {
    dashboard.withRow(new RowBuilder(title));
    for (const panel of panels) dashboard.withPanel(panel);
  }
  return numbered(dashboard.build());
}

/** Gives every panel and row its own id, in reading order. */
function numbered(dashboard: Dashboard): Dashboard {
  return {
    ...dashboard,
    panels: (dashboard.panels ?? []).map((panel, index) => ({ ...panel, id: index + 1 })),
  };
}
