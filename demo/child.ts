import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { moduleArguments, withoutSettings } from "./own-module.ts";

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 25_000;

/** A program that was started and listens. */
export interface Child {
  readonly name: string;
  readonly url: string;
  /** Rejects when the program ends without having been asked to. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

export interface Program {
  readonly name: string;
  /** Module below the project's root, without its extension: `app/cli`. */
  readonly module: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile: string;
}

/**
 * Starts one of the project's programs as a process of its own and waits until it says, in a line of JSON with the
 * message "listening", at which address. Everything it prints goes to its log file.
 */
export async function startChild({ name, module, args, env = {}, logFile }: Program): Promise<Child> {
  const child = spawn(process.execPath, [...moduleArguments(module), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...withoutSettings(process.env), ...env },
    detached: true, // a terminal's Ctrl-C comes to the demo alone, which then stops the others in order
  });
  const log = createWriteStream(logFile);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const killNow = () => child.kill("SIGKILL");
  process.once("exit", killNow); // whatever becomes of the demo, nothing is left running
  let state: "running" | "stopping" = "running";
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  }).finally(() => {
    process.removeListener("exit", killNow);
    log.end();
  });
  const ended = exited.then((how): Promise<never> => {
    if (state === "stopping") return new Promise(() => undefined);
    return Promise.reject(new Error(`${name} ended by itself (${how}): see ${logFile}`));
  });
  ended.catch(() => undefined); // whoever waits for it hears of it
  try {
    const url = await Promise.race([listeningAt(child), ended, timeout(name, logFile)]);
    return {
      name,
      url,
      ended,
      stop: async () => {
        state = "stopping";
        child.kill("SIGTERM");
        const tooLate = setTimeout(killNow, STOP_TIMEOUT_MS);
        await exited;
        clearTimeout(tooLate);
      },
    };
  } catch (error) {
    state = "stopping";
    killNow();
    throw error;
  }
}

function listeningAt({ stdout }: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    if (!stdout) return;
    createInterface({ input: stdout }).on("line", (line) => {
      const url = /^\{.*"msg":"listening".*\}$/.test(line)
        ? (JSON.parse(line) as { url?: unknown }).url
        : undefined;
      if (typeof url === "string") resolve(url);
    });
  });
}

function timeout(name: string, logFile: string): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(
      () => reject(new Error(`${name} did not listen within ${START_TIMEOUT_MS / 1_000} s: see ${logFile}`)),
      START_TIMEOUT_MS,
    ).unref();
  });
}
