import type { Worker } from "node:worker_threads";
import { ServiceError } from "../../schema/errors.ts";
import type { ColumnChunk } from "../../store/scoring-table.ts";
import { endThread, startThread } from "../start-thread.ts";
import type { FromPartThread, PartThreadStart, PartToScore, ToPartThread } from "./part-messages.ts";

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A thread with the model loaded, for the parts of a table. What it is given it does one after the other. */
export class PartThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  #ended: Error | undefined;

  /** @param onRows - Told how many further rows were scored. */
  constructor(start: Omit<PartThreadStart, "stop">, onRows: (rows: number) => void) {
    const all: PartThreadStart = { ...start, stop: this.#stop };
    this.#worker = startThread(new URL("./part-program.js", import.meta.url), all);
    this.#worker.on("message", (message: FromPartThread) => {
      if (message.say === "rows") onRows(message.rows);
      else this.#finish(message);
    });
    this.#worker.on("error", (error) => this.#end(error));
    this.#worker.on("exit", (code) => this.#end(new Error(`the thread ended with code ${code}`)));
  }

  /** Parts that are not written yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Scores a part and writes it. The memory of its columns goes to the thread.
   * @throws ServiceError `invalid-input` or `upstream-failed`, in the runtime's words when the model fails.
   */
  score(part: PartToScore): Promise<void> {
    if (this.#ended) return Promise.reject(failed(this.#ended));
    return new Promise((resolve, reject) => {
      this.#waiting.set(part.part, { resolve, reject });
      this.#worker.postMessage(part satisfies ToPartThread, part.columns.flatMap(memoryOf));
    });
  }

  /** What it has not finished it leaves. */
  async close(): Promise<void> {
    this.#end(new Error("it was stopped"));
    Atomics.store(this.#stop, 0, 1);
    await endThread(this.#worker);
  }

  #finish(message: Exclude<FromPartThread, { readonly say: "rows" }>): void {
    const waiting = this.#waiting.get(message.part);
    this.#waiting.delete(message.part);
    if (message.say === "written") waiting?.resolve();
    else waiting?.reject(message.code ? new ServiceError(message.code, message.why) : new Error(message.why));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(failed(this.#ended));
    this.#waiting.clear();
  }
}

function memoryOf(column: ColumnChunk): ArrayBuffer[] {
  return "buffer" in column && column.buffer instanceof ArrayBuffer ? [column.buffer] : [];
}

function failed(cause: Error): ServiceError {
  return new ServiceError("upstream-failed", `the model cannot be run: ${cause.message}`, { cause });
}
