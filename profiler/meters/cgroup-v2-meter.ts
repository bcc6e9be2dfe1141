import type { FileTree } from "../file-tree.ts";
import { countProcesses, heldPeak } from "./cgroup-processes.ts";
import type { Meter, Reading } from "./meter.ts";

/**
 * Reads a control group of the unified hierarchy.
 * @see Linux, Documentation/admin-guide/cgroup-v2.rst, sections CPU and Memory.
 */
export class CgroupV2Meter implements Meter {
  readonly kind = "cgroup-v2";
  readonly #tree: FileTree;
  readonly #group: string;

  /** @param group - Folder of the group below the tree's root. */
  constructor(tree: FileTree, group: string) {
    this.#tree = tree;
    this.#group = group;
  }

  read(): Reading {
    const cpu = this.#tree.table(`${this.#group}/cpu.stat`);
    const memory = this.#tree.table(`${this.#group}/memory.stat`);
    const of = (name: string) => memory.get(name) ?? 0;
    // `kernel` came with 5.18; before, its parts have to be added up.
    const kernel = memory.has("kernel")
      ? of("kernel") - of("slab_reclaimable")
      : of("kernel_stack") + of("pagetables") + of("slab_unreclaimable");
    const heldBytes = of("anon") + of("shmem") + Math.max(0, kernel);
    const { heldPeakBytes, ...counts } = countProcesses(this.#tree, this.#group);
    const periods = cpu.get("nr_periods");
    return {
      ...counts,
      cpuSeconds: (cpu.get("usage_usec") ?? 0) / 1e6,
      heldBytes,
      heldPeakBytes: heldPeak(heldBytes, heldPeakBytes, this.#tree.number(`${this.#group}/memory.peak`)),
      fileBytes: Math.max(0, of("file") - of("shmem")),
      oomKills: this.#tree.table(`${this.#group}/memory.events`).get("oom_kill"),
      throttling:
        periods === undefined
          ? undefined
          : {
              periods,
              throttledPeriods: cpu.get("nr_throttled") ?? 0,
              throttledSeconds: (cpu.get("throttled_usec") ?? 0) / 1e6,
            },
    };
  }
}
