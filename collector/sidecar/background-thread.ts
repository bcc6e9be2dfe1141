import { Worker } from "node:worker_threads";
import type { Counters } from "./counters.ts";
import type { BackgroundStart, FromBackground, ToBackground } from "./messages.ts";
import type { SidecarOptions } from "./options.ts";
import { type CallHead, type Slab, SlabWriter } from "./slab.ts";

const FLUSH_MS = 50;
const RESTART_MS = 1_000;

export type SidecarLog = (
  level: "info" | "warn",
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** The background thread as the proxy sees it: something to hand calls to. One that dies is replaced. */
export class BackgroundThread {
  readonly #start: BackgroundStart;
  readonly #counters: Counters;
  readonly #release: (heldBytes: number) => void;
  readonly #log: SidecarLog;
  readonly #slabs: SlabWriter;
  #worker: Worker | undefined;
  #flush: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #underWay = { heldBytes: 0, calls: 0 };
  #onDrained: (() => void) | undefined;
  #onStarted: (() => void) | undefined;
  /** Resolves when the thread takes calls, or has failed for the first time: those who score do not wait for that. */
  readonly started = new Promise<void>((resolve) => {
    this.#onStarted = resolve;
  });
  #state: "running" | "closing" = "running";

  /** @param release - Told when calls are done with, and their memory is free again. */
  constructor(
    options: SidecarOptions,
    parts: {
      readonly counters: Counters;
      readonly release: (heldBytes: number) => void;
      readonly log: SidecarLog;
    },
  ) {
    this.#start = { options, counters: parts.counters.buffer };
    this.#counters = parts.counters;
    this.#release = parts.release;
    this.#log = parts.log;
    this.#slabs = new SlabWriter((slab) => this.#post(slab));
    this.#worker = this.#begin();
  }

  hand(call: CallHead, heldBytes: number): void {
    this.#slabs.add(call, heldBytes);
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      this.#slabs.flush();
    }, FLUSH_MS);
  }

  /** Sends or spools everything, in about `graceMs`, and ends the thread. */
  async close(graceMs: number): Promise<void> {
    clearTimeout(this.#flush);
    clearTimeout(this.#restart);
    this.#state = "closing";
    this.#slabs.flush();
    const worker = this.#worker;
    if (!worker) return;
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(resolve, graceMs + 2_000);
      this.#onDrained = () => {
        clearTimeout(deadline);
        resolve();
      };
      worker.once("exit", this.#onDrained);
      worker.postMessage({ say: "drain", graceMs } satisfies ToBackground);
    });
    await worker.terminate();
  }

  #post(slab: Slab): void {
    if (!this.#worker) {
      this.#counters.add("dropped_requests_background", slab.calls);
      this.#release(slab.heldBytes);
      return;
    }
    this.#underWay.heldBytes += slab.heldBytes;
    this.#underWay.calls += slab.calls;
    this.#worker.postMessage({ say: "calls", slab } satisfies ToBackground, [slab.buffer]);
  }

  #begin(): Worker {
    const worker = startWorker(this.#start);
    worker.on("message", (message: FromBackground) => {
      if (message.say === "done") this.#done(message.slab);
      else if (message.say === "ready") this.#onStarted?.();
      else if (message.say === "log") this.#log(message.level, message.message, message.fields);
      else this.#onDrained?.();
    });
    worker.on("error", (error) => this.#log("warn", "the background thread failed", { why: error.message }));
    worker.on("exit", () => this.#ended());
    return worker;
  }

  #done(slab: Slab): void {
    this.#underWay.heldBytes -= slab.heldBytes;
    this.#underWay.calls -= slab.calls;
    this.#slabs.reuse(slab.buffer);
    this.#release(slab.heldBytes);
  }

  #ended(): void {
    this.#worker = undefined;
    this.#onStarted?.();
    if (this.#state === "closing") return;
    this.#counters.add("background_restarts");
    this.#counters.add("dropped_requests_background", this.#underWay.calls);
    this.#release(this.#underWay.heldBytes);
    this.#underWay = { heldBytes: 0, calls: 0 };
    // Records that had been made and were in no file yet are gone with it.
    const lost = this.#counters.get("gathering_records") + this.#counters.get("waiting_records");
    this.#counters.add("dropped_records_background", lost);
    this.#restart = setTimeout(() => {
      this.#worker = this.#begin();
    }, RESTART_MS);
  }
}

/** From the sources the thread needs the loader of TypeScript that this thread has. */
function startWorker(start: BackgroundStart): Worker {
  if (!import.meta.url.endsWith(".ts")) {
    return new Worker(new URL("./background.js", import.meta.url), { workerData: start });
  }
  const program = JSON.stringify(new URL("./background.ts", import.meta.url).href);
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api")); // the folder it is started in may know none
  const code = `import(${loader}).then(({ register }) => { register(); return import(${program}); })`;
  return new Worker(code, { eval: true, execArgv: [], workerData: start });
}
