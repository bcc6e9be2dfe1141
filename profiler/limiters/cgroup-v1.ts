import { join } from "node:path";
import type { FileTree } from "../file-tree.ts";
import { CgroupV1Meter } from "../meters/cgroup-v1-meter.ts";
import type { CgroupMounts } from "./cgroup-mounts.ts";
import { emptyGroups, removeAbandoned } from "./empty-groups.ts";
import { enterGroups } from "./enter-groups.ts";
import { type Cage, type Limiter, PERIOD_US, type Unavailable, WEIGHT_FACTOR } from "./limiter.ts";
import { messageOf } from "./message-of.ts";

/** Limits by control groups of version 1. */
export function cgroupV1(
  tree: FileTree,
  mounts: CgroupMounts,
  pause: (ms: number) => Promise<unknown>,
): Limiter | Unavailable {
  const kind = "cgroup-v1";
  const [cpu, cpuacct, memory] = ["cpu", "cpuacct", "memory"].map((name) => mounts.v1.get(name));
  if (!cpu || !cpuacct || !memory) return { kind, why: "cpu, cpuacct and memory are not mounted" };
  const parents = [...new Set([cpu, cpuacct, memory])];
  const probe = `leeway-probe-${process.pid}`;
  try {
    for (const parent of parents) {
      tree.makeFolder(`${parent}/${probe}`);
      tree.removeFolder(`${parent}/${probe}`);
    }
  } catch (error) {
    return { kind, why: messageOf(error) };
  }
  return {
    kind,
    cpu: "quota",
    memory: "limit",
    open: async (name): Promise<Cage> => {
      await removeAbandoned(tree, parents, pause);
      const groups = parents.map((parent) => `${parent}/${name}`);
      for (const group of groups) tree.makeFolder(group);
      tree.write(`${cpu}/${name}/cpu.shares`, String(1_024 * WEIGHT_FACTOR));
      const folders = {
        cpu: `${cpu}/${name}`,
        cpuacct: `${cpuacct}/${name}`,
        memory: `${memory}/${name}`,
      };
      return {
        kind,
        wrap: (command) =>
          enterGroups(
            groups.map((group) => join(tree.root, group, "cgroup.procs")),
            command,
          ),
        set: async (limits) => {
          const quota = limits.cpu === undefined ? -1 : Math.max(1_000, Math.round(limits.cpu * PERIOD_US));
          tree.write(`${folders.cpu}/cpu.cfs_period_us`, String(PERIOD_US));
          tree.write(`${folders.cpu}/cpu.cfs_quota_us`, String(quota));
          setMemory(tree, folders.memory, limits.memoryBytes);
        },
        meter: () => new CgroupV1Meter(tree, folders),
        destroy: () => emptyGroups(tree, groups, pause),
      };
    },
  };
}

/** Memory and swap together may never be below memory alone, so the order depends on the direction. */
function setMemory(tree: FileTree, folder: string, bytes: number | undefined): void {
  const text = String(bytes ?? -1);
  const files = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"];
  const withSwap = tree.read(`${folder}/memory.memsw.limit_in_bytes`) !== undefined;
  const before = tree.number(`${folder}/memory.limit_in_bytes`) ?? Number.POSITIVE_INFINITY;
  const ordered = (bytes ?? Number.POSITIVE_INFINITY) > before ? files.toReversed() : files;
  for (const file of ordered) if (withSwap || !file.includes("memsw")) tree.write(`${folder}/${file}`, text);
}
