import type { FileTree } from "../file-tree.ts";
import { countProcesses, heldPeak } from "./cgroup-processes.ts";
import type { Meter, Reading } from "./meter.ts";

/** Folders of one group in the hierarchies of version 1, below the tree's root. */
export interface CgroupV1Folders {
  readonly cpu: string;
  readonly cpuacct: string;
  readonly memory: string;
}

/**
 * Reads a control group of version 1, where each controller has a hierarchy of its own.
 * @see Linux, Documentation/admin-guide/cgroup-v1/{cpuacct,memory}.rst, Documentation/scheduler/sched-bwc.rst.
 */
export class CgroupV1Meter implements Meter {
  readonly kind = "cgroup-v1";
  readonly #tree: FileTree;
  readonly #folders: CgroupV1Folders;

  constructor(tree: FileTree, folders: CgroupV1Folders) {
    this.#tree = tree;
    this.#folders = folders;
  }

  read(): Reading {
    const { cpu, cpuacct, memory } = this.#folders;
    const bandwidth = this.#tree.table(`${cpu}/cpu.stat`);
    const stat = this.#tree.table(`${memory}/memory.stat`);
    const of = (name: string) => stat.get(name) ?? 0;
    const kernel = this.#tree.number(`${memory}/memory.kmem.usage_in_bytes`) ?? 0;
    const heldBytes = of("rss") + of("shmem") + kernel;
    const { heldPeakBytes, ...counts } = countProcesses(this.#tree, memory);
    const charged = this.#tree.number(`${memory}/memory.max_usage_in_bytes`);
    const periods = bandwidth.get("nr_periods");
    return {
      ...counts,
      cpuSeconds: (this.#tree.number(`${cpuacct}/cpuacct.usage`) ?? 0) / 1e9,
      heldBytes,
      heldPeakBytes: heldPeak(heldBytes, heldPeakBytes, charged),
      fileBytes: Math.max(0, of("cache") - of("shmem")),
      oomKills: this.#tree.table(`${memory}/memory.oom_control`).get("oom_kill"),
      throttling:
        periods === undefined
          ? undefined
          : {
              periods,
              throttledPeriods: bandwidth.get("nr_throttled") ?? 0,
              throttledSeconds: (bandwidth.get("throttled_time") ?? 0) / 1e9,
            },
    };
  }
}
