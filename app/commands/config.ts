import type { Command } from "commander";
import { stringify } from "yaml";
import { KeyRing } from "../keys.ts";
import { maskSecrets } from "../mask.ts";
import { newCommand, newGroup, print } from "./command.ts";
import { type ConfigOptions, effectiveConfig, withConfig } from "./config-options.ts";

type Options = ConfigOptions & { readonly json?: boolean };

export function configCommand(): Command {
  const check = withConfig(
    newCommand("check", {
      does: "check the settings without starting anything; exits 2 when something is wrong",
      example: "leeway config check --config leeway.yaml",
    }),
  ).action(async (options: Options) => {
    const { refuseOpenServer } = await import("../auth.ts");
    const { config, places, warnings } = effectiveConfig(options);
    refuseOpenServer(config, new KeyRing(config));
    const set = Object.keys(places).length;
    print({ valid: true, settings: set, warnings }, options, () =>
      [`the configuration is right: ${set} of its settings are set, the rest are defaults`, ...warnings].join(
        "\n",
      ),
    );
  });

  const show = withConfig(
    newCommand("show", {
      does: "print the settings in effect and where each was set, with secrets masked",
      example: "LEEWAY_PORT=9000 leeway config show",
    }),
  ).action((options: Options) => {
    const { config, places } = effectiveConfig(options);
    const masked = maskSecrets(config) as Record<string, unknown>;
    print({ config: masked, places }, options, () =>
      Object.entries(masked)
        .map(([key, value]) => {
          const [first = "", ...rest] = stringify({ [key]: value })
            .trimEnd()
            .split("\n");
          return [`${first}  # ${places[key] ?? "default"}`, ...rest].join("\n");
        })
        .join("\n"),
    );
  });

  return newGroup("config", "check and show the settings", [check, show]);
}
