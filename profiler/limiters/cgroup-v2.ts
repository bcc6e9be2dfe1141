import { dirname, join } from "node:path";
import type { FileTree } from "../file-tree.ts";
import { CgroupV2Meter } from "../meters/cgroup-v2-meter.ts";
import type { CgroupMounts } from "./cgroup-mounts.ts";
import { emptyGroups, removeAbandoned } from "./empty-groups.ts";
import { enterGroups } from "./enter-groups.ts";
import {
  type Cage,
  type Limiter,
  type Limits,
  PERIOD_US,
  type Unavailable,
  WEIGHT_FACTOR,
} from "./limiter.ts";
import { messageOf } from "./message-of.ts";

const NEEDED = ["cpu", "memory"];

/**
 * Limits by a control group of the unified hierarchy. The group is made beside our own, since a group with processes
 * in it may not hand controllers down.
 */
export function cgroupV2(
  tree: FileTree,
  mounts: CgroupMounts,
  pause: (ms: number) => Promise<unknown>,
): Limiter | Unavailable {
  const kind = "cgroup-v2";
  if (!mounts.v2) return { kind, why: "not mounted" };
  const { mount, own } = mounts.v2;
  const tried: string[] = [];
  for (const parent of new Set([own, own === mount ? mount : dirname(own), mount])) {
    const why = whyNot(tree, parent);
    if (why === undefined) return limiterBelow(tree, parent, pause);
    tried.push(`/${parent}: ${why}`);
  }
  return { kind, why: tried.join("; ") };
}

/** Why no group with limits can be made in a folder; undefined when one can. */
function whyNot(tree: FileTree, parent: string): string | undefined {
  const has = (file: string) => (tree.read(`${parent}/${file}`) ?? "").trim().split(/\s+/);
  const missing = NEEDED.filter((name) => !has("cgroup.controllers").includes(name));
  if (missing.length > 0) return `no controller for ${missing.join(" and ")}`;
  const probe = `${parent}/leeway-probe-${process.pid}`;
  try {
    const off = NEEDED.filter((name) => !has("cgroup.subtree_control").includes(name));
    if (off.length > 0)
      tree.write(`${parent}/cgroup.subtree_control`, off.map((name) => `+${name}`).join(" "));
    tree.makeFolder(probe);
    tree.removeFolder(probe);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function limiterBelow(tree: FileTree, parent: string, pause: (ms: number) => Promise<unknown>): Limiter {
  const kind = "cgroup-v2";
  return {
    kind,
    cpu: "quota",
    memory: "limit",
    open: async (name): Promise<Cage> => {
      await removeAbandoned(tree, [parent], pause);
      const group = `${parent}/${name}`;
      tree.makeFolder(group);
      return {
        kind,
        wrap: (command) => enterGroups([join(tree.root, group, "cgroup.procs")], command),
        set: async (limits) => writeLimits(tree, group, limits),
        meter: () => new CgroupV2Meter(tree, group),
        destroy: () => emptyGroups(tree, [group], pause),
      };
    },
  };
}

export function writeLimits(tree: FileTree, group: string, { cpu, memoryBytes }: Limits): void {
  const quota = cpu === undefined ? "max" : String(Math.max(1_000, Math.round(cpu * PERIOD_US)));
  tree.write(`${group}/cpu.max`, `${quota} ${PERIOD_US}`);
  tree.write(`${group}/memory.max`, memoryBytes === undefined ? "max" : String(memoryBytes));
  for (const [file, text] of [
    ["cpu.weight", String(100 * WEIGHT_FACTOR)],
    ["memory.swap.max", "0"],
    ["memory.oom.group", "1"],
  ] as const) {
    if (tree.read(`${group}/${file}`) !== undefined) tree.write(`${group}/${file}`, text);
  }
}
