import { ServiceError } from "../schema/errors.ts";
import type { Config } from "./config-schema.ts";
import type { Parts } from "./parts.ts";

/** Makes or changes what the configuration says has to be there. What it does not name stays as it is. */
export async function provision(
  { alerts, retrain, monitors, now }: Pick<Parts, "alerts" | "retrain" | "monitors" | "now">,
  config: Config,
): Promise<void> {
  for (const [name, spec] of Object.entries(config.channels)) {
    await named(`channels.${name}`, alerts.channels.put(name, spec));
  }
  for (const [name, spec] of Object.entries(config.alert_rules)) {
    await named(`alert_rules.${name}`, alerts.putRule(name, spec));
  }
  for (const [name, spec] of Object.entries(config.retrain_policies)) {
    await named(`retrain_policies.${name}`, retrain.putPolicy(name, spec));
  }
  for (const { model, name, ...spec } of config.monitors) {
    await monitors.put({ model, name, spec, now: now() }); // its baseline may come later
  }
}

async function named(key: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw new ServiceError("invalid-config", `${key}: ${error.message}`, { cause: error });
  }
}
