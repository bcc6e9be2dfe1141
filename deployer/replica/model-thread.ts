import type { Worker } from "node:worker_threads";
import { ServiceError } from "../../schema/errors.ts";
import type { RawTensor } from "../onnx/raw-tensor.ts";
import { endThread, startThread } from "../start-thread.ts";
import type { FromThread, ThreadStart, ToThread } from "./thread-messages.ts";

export interface ThreadRun {
  readonly outputs: readonly RawTensor[];
  readonly runMs: number;
}

interface Waiting {
  readonly resolve: (run: ThreadRun) => void;
  readonly reject: (error: Error) => void;
}

/** A model in a thread of its own. What is asked is run one after the other. */
export class ModelThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #ended: Error | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Resolves when the model is loaded. @throws Error in the runtime's words when it cannot be. */
  static async start(start: ThreadStart): Promise<ModelThread> {
    const worker = startThread(new URL("./inference-thread.js", import.meta.url), start);
    const thread = new ModelThread(worker);
    await new Promise<void>((resolve, reject) => {
      worker.on("message", (message: FromThread) => {
        if (message.say === "ready") resolve();
        else thread.#finish(message);
      });
      worker.on("error", (error) => {
        thread.#end(error);
        reject(error);
      });
      worker.on("exit", (code) => {
        const error = new Error(`the thread of the model ended with code ${code}`);
        thread.#end(error);
        reject(error);
      });
    });
    worker.unref();
    return thread;
  }

  run(inputs: readonly RawTensor[]): Promise<ThreadRun> {
    if (this.#ended) return Promise.reject(unavailable(this.#ended));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, inputs } satisfies ToThread);
    });
  }

  /** What was asked before is still run. */
  async close(): Promise<void> {
    this.#ended ??= new Error("the replica is ending");
    await endThread(this.#worker);
  }

  #finish(message: Exclude<FromThread, { readonly say: "ready" }>): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (this.#waiting.size === 0 && !this.#ended) this.#worker.unref();
    if (message.say === "done") waiting?.resolve(message);
    else waiting?.reject(new Error(message.why));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(unavailable(error));
    this.#waiting.clear();
  }
}

function unavailable(cause: Error): ServiceError {
  return new ServiceError("unavailable", `the model cannot be run: ${cause.message}`, {
    cause,
    retryAfterSeconds: 1,
  });
}
