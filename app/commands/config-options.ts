import type { Command } from "commander";
import { type EffectiveConfig, readConfig } from "../config.ts";
import type { ConfigKey } from "../config-schema.ts";

export interface ConfigOptions {
  readonly config?: string;
  readonly host?: string;
  readonly port?: string;
  readonly dataDir?: string;
  readonly publicUrl?: string;
  readonly logLevel?: string;
  readonly memoryLimit?: string;
  readonly allowPrivateTargets?: boolean;
}

const OPTION_KEYS: Readonly<Record<Exclude<keyof ConfigOptions, "config">, ConfigKey>> = {
  host: "host",
  port: "port",
  dataDir: "data_dir",
  publicUrl: "public_url",
  logLevel: "log_level",
  memoryLimit: "memory_limit",
  allowPrivateTargets: "allow_private_targets",
};

/** Adds the flags of the common settings. Every setting can also stand in the file, or in a variable. */
export function withConfig(command: Command): Command {
  return command
    .option("--config <file>", "YAML file with settings (LEEWAY_CONFIG; ./leeway.yaml when it is there)")
    .option("--host <address>", "address to listen on (LEEWAY_HOST; 127.0.0.1)")
    .option("--port <number>", "port, 0 for a free one (LEEWAY_PORT; 8420)")
    .option("--data-dir <folder>", "folder of the data (LEEWAY_DATA_DIR; ./leeway-data)")
    .option("--public-url <url>", "how others reach this server (LEEWAY_PUBLIC_URL)")
    .option(
      "--log-level <level>",
      "trace, debug, info, warn, error, fatal or silent (LEEWAY_LOG_LEVEL; info)",
    )
    .option("--memory-limit <amount>", "most memory the database takes (LEEWAY_MEMORY_LIMIT; 200MB)")
    .option("--allow-private-targets", "let webhooks go to private addresses (LEEWAY_ALLOW_PRIVATE_TARGETS)");
}

/** The configuration that a command's flags, the environment and the file give together. */
export function effectiveConfig(options: ConfigOptions): EffectiveConfig {
  const flags = Object.entries(OPTION_KEYS).flatMap(([option, key]) => {
    const value = options[option as keyof typeof OPTION_KEYS];
    return value === undefined ? [] : [[key, value] as const];
  });
  return readConfig({ file: options.config, env: process.env, flags: Object.fromEntries(flags) });
}
