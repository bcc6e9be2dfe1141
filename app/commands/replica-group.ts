import type { Command } from "commander";
import { newCommand } from "./command.ts";
import { stopSignal } from "./stop-signal.ts";

/** Not for people: `leeway serve` starts one per deployment, and it starts the replicas. */
export function replicaGroupCommand(): Command {
  return newCommand("replica-group", {
    does: "hold the socket of a deployment and keep its replicas; leeway serve starts it",
    example: "leeway replica-group --folder ./leeway-data/deployments/churn --host 127.0.0.1 --port 8430",
  })
    .requiredOption("--folder <folder>", "of the deployment")
    .requiredOption("--host <address>", "that the socket listens on")
    .requiredOption("--port <port>", "that the socket listens on")
    .action(async (flags: { readonly folder: string; readonly host: string; readonly port: string }) => {
      const [{ createLog }, { runGroup }, { version }] = await Promise.all([
        import("../log.ts"),
        import("../../deployer/replica/run-group.ts"),
        import("../package-root.ts"),
      ]);
      const log = createLog({ level: "info" });
      await runGroup({
        folder: flags.folder,
        host: flags.host,
        port: Number(flags.port),
        version,
        log: (level, message, fields) => log[level]({ ...fields }, message),
        stopped: stopSignal((signal) => log.info({ signal }, "stopping: replicas finish what is under way")),
      });
    });
}
