import type { OpenAPIHono } from "@hono/zod-openapi";
import { addAlertRoutes } from "../alerts/routes.ts";
import { addCollectorRoutes } from "../collector/routes.ts";
import { addEventRoutes } from "../events/routes.ts";
import { addRetrainRoutes } from "../retrain-trigger/routes.ts";
import { addBaselineRoutes } from "./baseline-routes.ts";
import type { Config } from "./config-schema.ts";
import { docsPage, frontPage } from "./docs-page.ts";
import { addMonitorRoutes } from "./monitor-routes.ts";
import { describeApi } from "./openapi.ts";
import { version } from "./package-root.ts";
import type { Parts } from "./parts.ts";

/** Every call of the service. */
export function addRoutes(
  api: OpenAPIHono,
  {
    parts,
    config,
    publicUrl,
  }: {
    readonly parts: Parts;
    readonly config: Config;
    readonly publicUrl: string;
  },
): void {
  addCollectorRoutes(api, parts.collector);
  addBaselineRoutes(api, {
    ...parts,
    maxFileBytes: config.max_baseline_bytes,
    flush: () => parts.collector.flush(),
  });
  addMonitorRoutes(api, parts);
  addAlertRoutes(api, parts.alerts);
  addRetrainRoutes(api, parts.retrain);
  addEventRoutes(api, parts.events);

  const document = describeApi(api, publicUrl);
  api.get("/", (c) => c.html(frontPage(version)));
  api.get("/openapi.json", (c) => c.json(document));
  api.get("/docs", (c) => c.html(docsPage(document, publicUrl)));
  api.get("/metrics", async (c) => {
    const { text, contentType } = await parts.metrics.read();
    return c.body(text, 200, { "content-type": contentType });
  });
}
