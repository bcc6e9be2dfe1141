import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";
import { newCommand } from "./command.ts";
import { type ConfigOptions, effectiveConfig, withConfig } from "./config-options.ts";
import { stopSignal } from "./stop-signal.ts";

/**
 * What request bodies and frames hold counts as growth of a heap that is itself small, so that V8 marked all of it every
 * 30,000 records: a quarter of the processor time of taking records in. Now it waits for the heap to grow fivefold.
 */
const CALM_HEAP = "--heap-growing-percent=400";

export function serveCommand(): Command {
  return withConfig(
    newCommand("serve", {
      does: "run the service: API, collector and scheduler",
      example: "leeway serve --port 8420 --data-dir ./leeway-data",
    }),
  ).action(async (options: ConfigOptions & { readonly json?: boolean }) => {
    setFlagsFromString(CALM_HEAP);
    const { config, warnings } = effectiveConfig(options);
    const [{ createLog }, { startServer }] = await Promise.all([import("../log.ts"), import("../server.ts")]);
    const look = process.stdout.isTTY && !options.json ? "plain" : "json";
    const log = createLog({ level: config.log_level, look });
    for (const warning of warnings) log.warn(warning);
    const server = await startServer(config, { now: () => new Date(), log });
    await stopSignal((signal) => log.info({ signal }, "stopping: finishing what is under way"));
    await server.close();
    log.info("stopped");
  });
}
