import type { FileTree } from "../file-tree.ts";
import { messageOf } from "./message-of.ts";

const TRIES = 50;
const PAUSE_MS = 40;

/**
 * Ends whatever runs in the groups and removes them. A process that has just ended holds its group a moment longer.
 * @throws RangeError when a group is still in use after two seconds.
 */
export async function emptyGroups(
  tree: FileTree,
  groups: readonly string[],
  pause: (ms: number) => Promise<unknown>,
): Promise<void> {
  let left = groups.filter((group) => tree.list(group).length > 0);
  let why = "";
  for (let tries = 0; left.length > 0 && tries < TRIES; tries += 1) {
    if (tries > 0) await pause(PAUSE_MS);
    const still: string[] = [];
    for (const group of left) {
      for (const pid of (tree.read(`${group}/cgroup.procs`) ?? "").split("\n").filter(Boolean))
        end(Number(pid));
      try {
        tree.removeFolder(group);
      } catch (error) {
        why = messageOf(error);
        still.push(group);
      }
    }
    left = still;
  }
  if (left.length > 0) throw new RangeError(`could not remove ${left.join(", ")}: ${why}`);
}

/** Removes groups whose profiler is gone: one that was killed outright could not clean up after itself. */
export async function removeAbandoned(
  tree: FileTree,
  parents: readonly string[],
  pause: (ms: number) => Promise<unknown>,
): Promise<void> {
  const abandoned = parents.flatMap((parent) =>
    tree.list(parent).flatMap((name) => {
      const pid = /^leeway-(\d+)-/.exec(name)?.[1];
      return pid !== undefined && tree.read(`proc/${pid}/stat`) === undefined ? [`${parent}/${name}`] : [];
    }),
  );
  await emptyGroups(tree, abandoned, pause).catch(() => undefined); // somebody else's mess must not stop this run
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // ended by itself meanwhile
  }
}
