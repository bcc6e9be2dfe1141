import type { OpenAPIHono } from "@hono/zod-openapi";
import { addAlertRoutes } from "../alerts/routes.ts";
import { addCaptureRoutes } from "../collector/capture-formats/routes.ts";
import { addCollectorRoutes } from "../collector/routes.ts";
import { addDeployerRoutes } from "../deployer/routes.ts";
import { addEventRoutes } from "../events/routes.ts";
import { addProfileRoutes } from "../profiler/routes.ts";
import { addMlflowRoutes } from "../registry/mlflow/routes.ts";
import { addRegistryRoutes } from "../registry/routes.ts";
import { addRetrainRoutes } from "../retrain-trigger/routes.ts";
import { addBaselineRoutes } from "./baseline-routes.ts";
import type { Config } from "./config-schema.ts";
import { addExportRoutes } from "./export-routes.ts";
import { addLabelRoutes } from "./label-routes.ts";
import { addMonitorRoutes } from "./monitor-routes.ts";
import type { Parts } from "./parts.ts";
import { addQueryRoutes } from "./query-routes.ts";
import { addServiceRoutes } from "./service-routes.ts";

/** Every call of the service. */
export function addRoutes(
  api: OpenAPIHono,
  {
    parts,
    config,
    health,
    publicUrl,
  }: {
    readonly parts: Parts;
    readonly config: Config;
    readonly health: (request: Request) => Response;
    readonly publicUrl: string;
  },
): void {
  addCollectorRoutes(api, parts.collector, parts.foreign);
  addCaptureRoutes(api, parts.foreign);
  addBaselineRoutes(api, {
    ...parts,
    maxFileBytes: config.max_baseline_bytes,
    flush: () => parts.collector.flush(),
  });
  addExportRoutes(api, { ...parts, flush: () => parts.collector.flush() });
  addLabelRoutes(api, { ...parts, flush: () => parts.collector.flush() });
  addMonitorRoutes(api, parts);
  addRegistryRoutes(api, { ...parts, flush: () => parts.collector.flush() });
  addMlflowRoutes(api, parts);
  addAlertRoutes(api, parts.alerts);
  addRetrainRoutes(api, parts.retrain);
  addDeployerRoutes(api, parts.deployments);
  addEventRoutes(api, parts.events);
  addProfileRoutes(api, parts.profileRuns);
  addQueryRoutes(api, { queries: parts.queries, flush: () => parts.collector.flush() });

  addServiceRoutes(api, { metrics: parts.metrics, health, publicUrl });
}
