import type { Command } from "commander";
import { newGroup } from "./command.ts";
import { aliasCommand } from "./model-alias.ts";
import { optimiseCommand } from "./model-optimise.ts";
import { packageCommand } from "./model-package.ts";
import { registerCommand } from "./model-register.ts";
import { showCommands } from "./model-show.ts";

export function modelCommand(): Command {
  return newGroup("model", "registered models: versions, files, aliases", [
    registerCommand(),
    ...showCommands(),
    aliasCommand(),
    packageCommand(),
    optimiseCommand(),
  ]);
}
