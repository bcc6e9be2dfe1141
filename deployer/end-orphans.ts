import { once } from "node:events";
import { readFileSync } from "node:fs";
import { ServiceError } from "../schema/errors.ts";
import type { GroupClient } from "./group-client.ts";

const WAIT_MS = 40_000;
const LOOK_EVERY_MS = 100;

/**
 * Ends replicas whose group is gone (it was killed): they go on scoring, and hold the port that the next group needs.
 *
 * @throws ServiceError `conflict` when one does not end.
 */
export async function endOrphans(group: GroupClient): Promise<void> {
  const pids = (group.record?.replicas ?? []).filter((pid) => isReplicaOf(pid, group.folder));
  for (const pid of pids) process.kill(pid, "SIGTERM");
  const deadline = performance.now() + WAIT_MS;
  for (const pid of pids) {
    while (isReplicaOf(pid, group.folder)) {
      if (performance.now() > deadline)
        throw new ServiceError("conflict", `replica ${pid} of an earlier group does not end: end it by hand`);
      await once(AbortSignal.timeout(LOOK_EVERY_MS), "abort");
    }
  }
}

/** Numbers of processes are used again: one that is not a replica of this folder is let alone. */
function isReplicaOf(pid: number, folder: string): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== "linux") return true;
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return words.includes("replica") && words.some((word) => word.startsWith(folder));
  } catch {
    return false;
  }
}
