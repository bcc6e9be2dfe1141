import type { FileTree } from "../file-tree.ts";
import type { Reading } from "./meter.ts";
import { fileDescriptors, processMemory, processStat } from "./processes.ts";

/** What the control group does not count itself: threads, descriptors, and the peak of a single process. */
export function countProcesses(
  tree: FileTree,
  group: string,
): Pick<Reading, "processes" | "threads" | "fileDescriptors"> & {
  readonly heldPeakBytes: number | undefined;
} {
  const pids = (tree.read(`${group}/cgroup.procs`) ?? "").split("\n").filter(Boolean).map(Number);
  const alone = pids.length === 1 ? pids[0] : undefined;
  return {
    processes: pids.length,
    threads: pids.reduce((total, pid) => total + (processStat(tree, pid)?.threads ?? 0), 0),
    fileDescriptors: pids.reduce((total, pid) => total + fileDescriptors(tree, pid), 0),
    heldPeakBytes: alone === undefined ? undefined : processMemory(tree, alone, "whole").heldPeakBytes,
  };
}

/** The larger of what is held now and the process's own peak, which cannot have been above what was ever charged. */
export function heldPeak(
  heldBytes: number,
  processPeakBytes: number | undefined,
  chargedPeakBytes: number | undefined,
): number | undefined {
  if (processPeakBytes === undefined) return undefined;
  return Math.max(heldBytes, Math.min(processPeakBytes, chargedPeakBytes ?? processPeakBytes));
}
