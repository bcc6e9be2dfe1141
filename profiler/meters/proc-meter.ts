import type { FileTree } from "../file-tree.ts";
import type { Meter, Reading } from "./meter.ts";
import { fileDescriptors, processMemory, processTree } from "./processes.ts";

/**
 * Reads a process tree from `/proc` alone. CPU time of children that ended is in their parent's once it has waited for
 * them; what a sum loses because nobody waited is kept, so that it never falls.
 */
export class ProcMeter implements Meter {
  readonly kind = "proc";
  readonly #tree: FileTree;
  readonly #root: number;
  #lastSum = 0;
  #lost = 0;

  constructor(tree: FileTree, root: number) {
    this.#tree = tree;
    this.#root = root;
  }

  read(): Reading {
    const processes = processTree(this.#tree, this.#root).filter(({ state }) => state !== "X");
    const sum = processes.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0);
    this.#lost += Math.max(0, this.#lastSum - sum);
    this.#lastSum = sum;
    const sharing = processes.length > 1 ? "in-parts" : "whole";
    const memory = processes.map(({ pid }) => processMemory(this.#tree, pid, sharing));
    return {
      cpuSeconds: sum + this.#lost,
      heldBytes: memory.reduce((total, { heldBytes }) => total + heldBytes, 0),
      // The peaks of several processes need not have been at the same time.
      heldPeakBytes: memory.length === 1 ? memory[0]?.heldPeakBytes : undefined,
      fileBytes: memory.reduce((total, { fileBytes }) => total + fileBytes, 0),
      processes: processes.length,
      threads: processes.reduce((total, { threads }) => total + threads, 0),
      fileDescriptors: processes.reduce((total, { pid }) => total + fileDescriptors(this.#tree, pid), 0),
      oomKills: undefined,
      throttling: undefined,
    };
  }
}
