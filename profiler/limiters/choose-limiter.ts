import type { FileTree } from "../file-tree.ts";
import { ProcMeter } from "../meters/proc-meter.ts";
import { cgroupMounts } from "./cgroup-mounts.ts";
import { cgroupV1 } from "./cgroup-v1.ts";
import { cgroupV2 } from "./cgroup-v2.ts";
import type { Limiter, LimiterKind, Unavailable } from "./limiter.ts";
import { systemdRun } from "./systemd-run.ts";
import { taskset } from "./taskset.ts";

/**
 * The best way of limiting that this machine has, and why each better one is not available.
 *
 * @param wanted - Only this one.
 */
export async function chooseLimiter(
  tree: FileTree,
  pause: (ms: number) => Promise<unknown>,
  wanted?: LimiterKind,
): Promise<{ readonly limiter: Limiter; readonly passedOver: readonly Unavailable[] }> {
  const mounts = cgroupMounts(tree);
  const ways: readonly (readonly [
    LimiterKind,
    () => Promise<Limiter | Unavailable> | Limiter | Unavailable,
  ])[] = [
    ["cgroup-v2", () => cgroupV2(tree, mounts, pause)],
    ["cgroup-v1", () => cgroupV1(tree, mounts, pause)],
    ["systemd-run", () => systemdRun(tree)],
    ["taskset", () => taskset(tree)],
  ];
  const passedOver: Unavailable[] = [];
  for (const [kind, open] of ways) {
    if (wanted !== undefined && wanted !== kind) continue;
    const found = await open();
    if ("open" in found) return { limiter: found, passedOver };
    passedOver.push(found);
  }
  return { limiter: unlimited(tree), passedOver };
}

/** No limits at all: what is used is measured, and what would be enough is only calculated. */
function unlimited(tree: FileTree): Limiter {
  return {
    kind: "none",
    cpu: "none",
    memory: "none",
    open: async () => ({
      kind: "none",
      wrap: (command) => command,
      set: async () => undefined,
      meter: (pid) => new ProcMeter(tree, pid),
      destroy: async () => undefined,
    }),
  };
}
