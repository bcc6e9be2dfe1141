import { cpus, totalmem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { uuidv7 } from "uuidv7";
import { FileTree } from "../profiler/file-tree.ts";
import type { Surroundings } from "../profiler/findings.ts";
import { version } from "./package-root.ts";

/** This machine and this process, as the profiler is given them. */
export function profileSurroundings(signal: AbortSignal, onPhase: Surroundings["onPhase"]): Surroundings {
  const processors = cpus();
  return {
    tree: new FileTree(),
    clock: {
      now: () => new Date(),
      monotonicMs: () => performance.now(),
      pause: async (ms, stopped) => {
        await sleep(ms, undefined, stopped ? { signal: stopped } : {}).catch(() => stopped?.throwIfAborted());
      },
    },
    signal,
    env: process.env,
    machine: {
      cores: Math.max(1, processors.length),
      cpuModel: processors[0]?.model.trim() || "unknown",
      memoryBytes: totalmem(),
    },
    leewayVersion: version,
    newId: uuidv7,
    onPhase,
  };
}
