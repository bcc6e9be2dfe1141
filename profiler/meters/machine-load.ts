import type { FileTree } from "../file-tree.ts";
import { processStat } from "./processes.ts";

const TICKS_PER_SECOND = 100;

/** CPU seconds that the whole machine has used, time stolen by its host included; undefined without `/proc`. */
export function machineCpuSeconds(tree: FileTree): number | undefined {
  const line = /^cpu +(.*)$/m.exec(tree.read("proc/stat") ?? "")?.[1];
  if (line === undefined) return undefined;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(" ").map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** CPU seconds of processes of our own, which are no strangers. */
export function ownCpuSeconds(tree: FileTree, pids: readonly (number | undefined)[]): number {
  return pids.reduce<number>(
    (sum, pid) => sum + (pid === undefined ? 0 : (processStat(tree, pid)?.cpuSeconds ?? 0)),
    0,
  );
}
