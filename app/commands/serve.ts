import type { Command } from "commander";
import { newCommand } from "./command.ts";
import { type ConfigOptions, effectiveConfig, withConfig } from "./config-options.ts";

export function serveCommand(): Command {
  return withConfig(
    newCommand("serve", {
      does: "run the service: API, collector and scheduler",
      example: "leeway serve --port 8420 --data-dir ./leeway-data",
    }),
  ).action(async (options: ConfigOptions & { readonly json?: boolean }) => {
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

/** Waits for the first signal; the second ends the process at once. */
function stopSignal(onFirst: (signal: string) => void): Promise<void> {
  return new Promise((resolve) => {
    let asked = 0;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        asked += 1;
        if (asked > 1) process.exit(signal === "SIGINT" ? 130 : 143);
        onFirst(signal);
        resolve();
      });
    }
  });
}
