import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GROUP_FILE, groupRecord } from "../deployer/replica/group-state.ts";

const PATIENCE_MS = 10_000;
const LOOK_EVERY_MS = 50;

/**
 * Replicas outlive the server that has started them. Here they are to go with the demo, whatever becomes of it.
 *
 * @param stop - Has the server end them in order.
 * @returns Ends them, and resolves when they are gone.
 */
export function watchReplicas(dataDir: string, stop: () => Promise<unknown>): () => Promise<void> {
  const killNow = () => signalAll(processesOf(dataDir), "SIGKILL");
  process.once("exit", killNow);
  return async () => {
    const groups = processesOf(dataDir);
    await stop().catch(() => signalAll(groups, "SIGTERM")); // without a server that could
    const patience = performance.now() + PATIENCE_MS;
    while (groups.some(isThere) && performance.now() < patience) await sleep(LOOK_EVERY_MS);
    killNow();
    process.removeListener("exit", killNow);
  };
}

/** The group's process first, then its replicas. */
function processesOf(dataDir: string): number[] {
  const deployments = join(dataDir, "deployments");
  try {
    return readdirSync(deployments).flatMap((name) => {
      const record = groupRecord.parse(JSON.parse(readFileSync(join(deployments, name, GROUP_FILE), "utf8")));
      return [record.pid, ...record.replicas];
    });
  } catch {
    return []; // none has been started, or all have ended
  }
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended
    }
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
