import { Command } from "commander";
import { baselineCommand } from "./commands/baseline.ts";
import { configCommand } from "./commands/config.ts";
import { dashboardsCommand } from "./commands/dashboards.ts";
import { demoCommand } from "./commands/demo.ts";
import { deployCommand } from "./commands/deploy.ts";
import { driftCommand } from "./commands/drift.ts";
import { eventsCommand } from "./commands/events.ts";
import { keyCommand } from "./commands/key.ts";
import { modelCommand } from "./commands/model.ts";
import { profileCommand } from "./commands/profile.ts";
import { queryCommand } from "./commands/query.ts";
import { labelsCommand, recordsCommand } from "./commands/records.ts";
import { replicaCommand } from "./commands/replica.ts";
import { replicaGroupCommand } from "./commands/replica-group.ts";
import { retrainCommand } from "./commands/retrain.ts";
import { scoreCommand } from "./commands/score.ts";
import { serveCommand } from "./commands/serve.ts";
import { sidecarCommand } from "./commands/sidecar.ts";
import { version } from "./package-root.ts";

/** The whole command line: `leeway <noun> <verb>`. Each command loads what it needs only when it runs. */
export function buildProgram(): Command {
  const program = new Command("leeway")
    .description(
      "Watches machine-learning models in production: collects, compares, alerts, asks for retraining.",
    )
    .enablePositionalOptions() // a command may have a --version of its own
    .version(version)
    .addHelpText(
      "after",
      `
Exit codes: 0 ok, 1 failed, 2 used wrongly, 3 the check says no (such as drift found).

Examples:
  leeway demo
  leeway serve --data-dir ./leeway-data
  leeway drift compare train.parquet today.parquet`,
    );
  const commands = [
    serveCommand(),
    demoCommand(),
    driftCommand(),
    baselineCommand(),
    recordsCommand(),
    labelsCommand(),
    queryCommand(),
    modelCommand(),
    deployCommand(),
    scoreCommand(),
    replicaCommand(),
    sidecarCommand(),
    profileCommand(),
    retrainCommand(),
    eventsCommand(),
    dashboardsCommand(),
    keyCommand(),
    configCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  program.addCommand(replicaGroupCommand(), { hidden: true });
  return program;
}
