import { type ChildProcess, execFile, fork } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { setPriority } from "node:os";
import { promisify } from "node:util";
import { ServiceError } from "../schema/errors.ts";
import type {
  FromGenerator,
  LoadResult,
  LoadTarget,
  ToGenerator,
  WindowOrder,
} from "./generator/messages.ts";

const PRIORITY = -10;

/** Most that one profile may send, whatever is asked for. */
export interface LoadBound {
  readonly requests: number;
  readonly ms: number;
}

/**
 * The load generator's process. Every window is bounded, and so is their sum: when the bound is reached, no further
 * request is sent.
 */
export class LoadGenerator {
  readonly #child: ChildProcess;
  readonly #bound: LoadBound;
  #id = 0;
  #sent = 0;
  #loadedMs = 0;
  #target: LoadTarget | undefined;

  private constructor(child: ChildProcess, bound: LoadBound) {
    this.#child = child;
    this.#bound = bound;
  }

  static async start(bound: LoadBound): Promise<LoadGenerator> {
    const sources = import.meta.filename.endsWith(".ts");
    const program = new URL(`./generator/program.${sources ? "ts" : "js"}`, import.meta.url);
    const child = fork(program, [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: sources ? ["--import", createRequire(import.meta.url).resolve("tsx")] : [],
      detached: true, // Ctrl-C on a terminal is for the profiler, which stops it
    });
    await first(child, (message) => (message.type === "ready" ? message : undefined));
    if (child.pid !== undefined) await putFirst(child.pid);
    return new LoadGenerator(child, bound);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Requests sent so far, all windows together. */
  get sent(): number {
    return this.#sent;
  }

  /** Counts what was sent to the same service by another generator. */
  countSent(requests: number): void {
    this.#sent += requests;
  }

  /** What is left of the bound. */
  get left(): LoadBound {
    return { requests: this.#bound.requests - this.#sent, ms: this.#bound.ms - this.#loadedMs };
  }

  /** Says where the load goes; costs nothing when it goes there already. */
  aim(target: LoadTarget): void {
    if (target === this.#target) return;
    this.#target = target;
    this.#tell({ type: "target", target });
  }

  /**
   * Runs one window of load to its end.
   * @throws ServiceError `too-large` when the bound on requests or time is used up; `upstream-failed` when the generator ended.
   */
  async run(order: WindowOrder, signal?: AbortSignal): Promise<LoadResult> {
    signal?.throwIfAborted();
    const { left } = this;
    if (left.requests < 1 || left.ms < 1) {
      const { requests, ms } = this.#bound;
      throw new ServiceError(
        "too-large",
        `the bound of ${requests} requests and ${Math.round(ms / 1_000)} s of load is used up: raise it with --max-requests`,
      );
    }
    const bounded = {
      ...order,
      most: Math.min(order.most, left.requests),
      durationMs: Math.min(order.durationMs, left.ms),
    };
    this.#id += 1;
    const id = this.#id;
    const answered = first(this.#child, (message) =>
      message.type !== "ready" && message.id === id ? message : undefined,
    );
    const stop = () => this.#tell({ type: "stop" });
    signal?.addEventListener("abort", stop, { once: true });
    try {
      this.#tell({ type: "window", id, order: bounded });
      const answer = await answered;
      if (answer.type !== "result")
        throw new ServiceError("upstream-failed", `load generator: ${answer.message}`);
      this.#sent += answer.result.due;
      this.#loadedMs += answer.result.durationMs;
      signal?.throwIfAborted();
      return answer.result;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    if (this.#child.connected) this.#child.disconnect();
    else this.#child.kill("SIGKILL");
    await ended;
  }

  #tell(message: ToGenerator): void {
    if (this.#child.connected) this.#child.send(message);
  }
}

/**
 * Lets a process run before all others as soon as it is due (it sleeps most of the time): with four busy programs on two
 * cores it was late by 0.5 ms instead of 4 ms (p99). Both ways need a privilege; lateness is measured without it, too.
 */
async function putFirst(pid: number): Promise<void> {
  try {
    await promisify(execFile)("chrt", ["--all-tasks", "--fifo", "--pid", "1", String(pid)]);
  } catch {
    try {
      setPriority(pid, PRIORITY);
    } catch {
      // runs as it is
    }
  }
}

/** The first message that `pick` takes. @throws ServiceError when the process ends before. */
function first<T>(child: ChildProcess, pick: (message: FromGenerator) => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const take = (message: unknown) => {
      const picked = pick(message as FromGenerator); // only our own program writes here
      if (picked === undefined) return;
      done();
      resolve(picked);
    };
    const early = () => {
      done();
      reject(new ServiceError("upstream-failed", "the load generator ended before its window did"));
    };
    const done = () => {
      child.off("message", take);
      child.off("exit", early);
    };
    child.on("message", take);
    child.once("exit", early);
  });
}
