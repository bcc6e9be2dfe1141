import { type Command, Option } from "commander";
import { ServiceError } from "../../schema/errors.ts";
import { newCommand } from "./command.ts";
import { stopSignal } from "./stop-signal.ts";

interface Flags {
  readonly plan: string;
  readonly host: string;
  readonly port: string;
  readonly listenFd?: string;
  readonly json?: boolean;
}

export function replicaCommand(): Command {
  return newCommand("replica", {
    does: "answer scoring calls by a plan; leeway deploy starts these, and one can be run by hand or in a container",
    example: "leeway replica --plan plan.json --port 8430",
  })
    .requiredOption("--plan <file>", "what to serve, as JSON: docs/deploying.md tells")
    .option("--host <address>", "address to score at", "127.0.0.1")
    .option("--port <port>", "port; 0 takes a free one", "8430")
    .addOption(new Option("--listen-fd <number>", "socket that is inherited").hideHelp())
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const [{ createLog }, { runReplica }, { version }] = await Promise.all([
    import("../log.ts"),
    import("../../deployer/replica/run-replica.ts"),
    import("../package-root.ts"),
  ]);
  const log = createLog({ level: "info", look: process.stdout.isTTY && !flags.json ? "plain" : "json" });
  const listen =
    flags.listenFd === undefined
      ? { host: flags.host, port: wholeNumber("--port", flags.port, 65_535) }
      : { fd: wholeNumber("--listen-fd", flags.listenFd, 1_023) };
  await runReplica({
    planFile: flags.plan,
    listen,
    version,
    log: (level, message, fields) => log[level]({ ...fields }, message),
    stopped: stopSignal((signal) => log.info({ signal }, "stopping: finishing what is under way")),
  });
}

function wholeNumber(flag: string, text: string, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= most) return value;
  throw new ServiceError("invalid-input", `${flag} ${text}: expected a whole number up to ${most}`);
}
