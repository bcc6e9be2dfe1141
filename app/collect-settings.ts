import type { CollectSettings } from "../collector/collect-settings.ts";
import { parseRedaction } from "../collector/sidecar/redact.ts";
import type { Config } from "./config-schema.ts";

const STORED = { number: "DOUBLE", text: "VARCHAR", boolean: "BOOLEAN" } as const;

/** What the configuration says of collecting, as the collector takes it. */
export function collectSettings({ models, redact_key: redactKey }: Config): CollectSettings {
  return {
    models: Object.fromEntries(
      Object.entries(models).map(([model, { sample, redact = {}, types = {} }]) => [
        model,
        {
          sample,
          redact: Object.entries(redact).map(([name, way]) => parseRedaction(`${name}=${way}`)),
          types: Object.fromEntries(Object.entries(types).map(([name, type]) => [name, STORED[type]])),
        },
      ]),
    ),
    redactKey,
  };
}
