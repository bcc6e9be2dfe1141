import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { FromReplica, ToReplica } from "./group-messages.ts";
import type { ReplicaState } from "./replica.ts";

/** Descriptor of the listening socket in the group, and in a replica, which has the channel to the group before it. */
const GROUP_SOCKET_FD = 3;
const REPLICA_SOCKET_FD = 4;

/** How long a replica may take until it scores: a large model is hashed, loaded, measured and checked. */
const START_MS = 180_000;
/** After the time for its drain a replica is ended. */
const KILL_AFTER_MS = 5_000;

const WITHOUT_A_WORD = "its model or module ended it, or the machine was out of memory";

/** A replica as its group sees it. */
export class ReplicaProcess {
  readonly slot: number;
  readonly startedAt = performance.now();
  readonly #child: ChildProcess;
  /** Resolves when it scores; rejects with the reason when it cannot. */
  readonly ready: Promise<void>;
  /** Resolves with how it ended. */
  readonly ended: Promise<string>;
  #state: ReplicaState | undefined;
  #phase: "starting" | "serving" | "dismissed" | "ended" = "starting";
  #dismissed: "yes" | "no" = "no";

  constructor(start: { readonly slot: number; readonly planFile: string; readonly logFile: string }) {
    this.slot = start.slot;
    const log = openSync(start.logFile, "a", 0o600);
    const program = [...process.execArgv, process.argv[1] ?? ""];
    this.#child = spawn(
      process.execPath,
      [...program, "replica", "--json", "--plan", start.planFile, "--listen-fd", String(REPLICA_SOCKET_FD)],
      { stdio: ["ignore", log, log, "ipc", GROUP_SOCKET_FD] },
    );
    closeSync(log);
    let failure: string | undefined;
    this.ended = new Promise((resolve) => {
      const end = (how: string) => {
        this.#phase = "ended";
        resolve(failure ?? how);
      };
      this.#child.once("exit", (code, signal) =>
        end(signal ? `ended by ${signal}` : `ended with code ${code}`),
      );
      this.#child.once("error", (error) => end(error.message));
    });
    this.ready = new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        failure = `not ready within ${START_MS / 1000} s`;
        this.#child.kill("SIGKILL");
      }, START_MS);
      this.#child.on("message", (message: FromReplica) => {
        if (message.say === "failed") failure = message.why;
        else this.#state = message.state;
        if (message.say !== "ready") return;
        clearTimeout(late);
        if (this.#phase === "starting") this.#phase = "serving";
        resolve();
      });
      void this.ended.then((how) => {
        clearTimeout(late);
        reject(new Error(failure ?? `a replica ${how} before it scored: ${WITHOUT_A_WORD}`));
      });
    });
    this.ready.catch(() => undefined); // whoever waits for it hears of it
  }

  get phase(): "starting" | "serving" | "dismissed" | "ended" {
    return this.#phase;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Whether its end was asked for. */
  get dismissed(): "yes" | "no" {
    return this.#dismissed;
  }

  /** As it last said; undefined before it scores. */
  get state(): ReplicaState | undefined {
    return this.#state;
  }

  tell(message: ToReplica): void {
    if (this.#child.connected) this.#child.send(message, () => undefined); // one that has just ended hears nothing
  }

  /** Lets it finish what is under way and end. */
  async drain(graceMs: number): Promise<void> {
    this.#dismissed = "yes";
    if (this.#phase === "ended") return;
    this.#phase = "dismissed";
    this.tell({ say: "drain", graceMs });
    const late = setTimeout(() => this.#child.kill("SIGKILL"), graceMs + KILL_AFTER_MS);
    await this.ended;
    clearTimeout(late);
  }

  kill(): void {
    this.#dismissed = "yes";
    this.#child.kill("SIGKILL");
  }
}
