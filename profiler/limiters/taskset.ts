import { execFileSync } from "node:child_process";
import type { FileTree } from "../file-tree.ts";
import { ProcMeter } from "../meters/proc-meter.ts";
import { processTree } from "../meters/processes.ts";
import type { Cage, Limiter, Unavailable } from "./limiter.ts";
import { messageOf } from "./message-of.ts";

/** Limits to whole cores by affinity; memory is only measured. Needs no privilege. */
export function taskset(tree: FileTree): Limiter | Unavailable {
  const kind = "taskset";
  try {
    execFileSync("taskset", ["-p", String(process.pid)], { stdio: "ignore" });
  } catch (error) {
    return { kind, why: messageOf(error).split("\n")[0] ?? "it fails" };
  }
  const allowed = allowedCpus(tree.read("proc/self/status") ?? "");
  return {
    kind,
    cpu: "cores",
    memory: "none",
    open: async (): Promise<Cage> => {
      let cpus = allowed;
      let root: number | undefined;
      return {
        kind,
        wrap: (command) => ["taskset", "-c", cpus.join(","), ...command],
        set: async ({ cpu }) => {
          cpus = allowed.slice(0, cpu === undefined ? allowed.length : Math.max(1, Math.ceil(cpu)));
          if (root === undefined) return;
          for (const { pid } of processTree(tree, root)) {
            try {
              execFileSync("taskset", ["-a", "-c", "-p", cpus.join(","), String(pid)], { stdio: "ignore" });
            } catch {
              // it ended meanwhile
            }
          }
        },
        meter: (pid) => {
          root = pid;
          return new ProcMeter(tree, pid);
        },
        destroy: async () => undefined,
      };
    },
  };
}

/** `Cpus_allowed_list` of `/proc/PID/status`, such as `0-2,5`. */
export function allowedCpus(status: string): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "0";
  return list.split(",").flatMap((part) => {
    const [from = 0, to = from] = part.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}
