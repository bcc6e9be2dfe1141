import type { FileTree } from "../file-tree.ts";

/** `/proc` counts CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly state: string;
  /** Its own CPU time and that of the children it has waited for. */
  readonly cpuSeconds: number;
  readonly threads: number;
}

/** Reads `/proc/PID/stat`. The name in brackets may itself hold spaces and brackets, so the last one counts. */
export function processStat(tree: FileTree, pid: number): ProcessStat | undefined {
  const text = tree.read(`proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const at = (number: number) => Number(fields[number - 3]); // proc(5) counts from 1, and two are before the bracket
  return {
    pid,
    state: fields[0] ?? "?",
    parent: at(4),
    session: at(6),
    cpuSeconds: (at(14) + at(15) + at(16) + at(17)) / TICKS_PER_SECOND,
    threads: at(20),
  };
}

/** A process, its descendants, and whoever else belongs to its session: a child whose parent has ended still does. */
export function processTree(tree: FileTree, root: number): ProcessStat[] {
  const all = tree
    .list("proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => processStat(tree, Number(name)) ?? []);
  const found = new Map(all.filter((p) => p.pid === root || p.session === root).map((p) => [p.pid, p]));
  for (let grown = true; grown; ) {
    grown = false;
    for (const process of all) {
      if (found.has(process.pid) || !found.has(process.parent)) continue;
      found.set(process.pid, process);
      grown = true;
    }
  }
  return [...found.values()];
}

export interface ProcessMemory {
  readonly heldBytes: number;
  readonly fileBytes: number;
  /** Most it ever held, when the kernel says so. */
  readonly heldPeakBytes: number;
}

/**
 * Memory of one process. Pages that forked processes share are counted in parts (`smaps_rollup`) when that is asked
 * for, since walking all mappings is slow.
 */
export function processMemory(tree: FileTree, pid: number, sharing: "in-parts" | "whole"): ProcessMemory {
  const status = tree.read(`proc/${pid}/status`) ?? "";
  const rollup = sharing === "in-parts" ? tree.read(`proc/${pid}/smaps_rollup`) : undefined;
  const kib = (text: string, name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
  const whole = kib(status, "RssAnon") + kib(status, "RssShmem");
  const held = rollup?.includes("Pss_Anon:") ? kib(rollup, "Pss_Anon") + kib(rollup, "Pss_Shmem") : whole;
  const fileBytes = kib(status, "RssFile");
  return { heldBytes: held, fileBytes, heldPeakBytes: Math.max(whole, kib(status, "VmHWM") - fileBytes) };
}

export function fileDescriptors(tree: FileTree, pid: number): number {
  return tree.list(`proc/${pid}/fd`).length;
}
