import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { programArguments } from "./own-program.ts";

export interface InspectionLimits {
  readonly timeoutMs: number;
  /** Resident memory of the process that looks. */
  readonly memoryBytes: number;
}

/** What Node and the runtime take of addresses without using them. */
const ADDRESS_SPACE_BYTES = 2 * 1024 ** 3;
const LOOK_EVERY_MS = 50;
const MOST_SAID = 64 * 1024;
const MOST_ANSWERED = 16 * 1024 * 1024;
const PAGE_BYTES = 4096;

/**
 * Runs one of our programs that has to do with somebody's model, in a process with bounded time and memory.
 *
 * @param program - Its file without the ending, relative to this one.
 * @param work - What it does, in words: "it was not (done) in time", "(doing) takes too much memory".
 * @returns What the last line that it wrote says as JSON, or why there is none.
 */
export async function checkedProcess(
  program: string,
  args: readonly string[],
  {
    limits,
    signal,
    work,
  }: {
    readonly limits: InspectionLimits;
    readonly signal: AbortSignal | undefined;
    readonly work: { readonly done: string; readonly doing: string };
  },
): Promise<{ readonly value: unknown } | { readonly reason: string }> {
  const timeout = AbortSignal.timeout(limits.timeoutMs);
  const child = start(program, args, limits);
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  let stopped: string | undefined;
  const stop = (why: string) => {
    stopped ??= why;
    child.kill("SIGKILL");
  };
  const seconds = limits.timeoutMs / 1000;
  timeout.addEventListener("abort", () => stop(`it was not ${work.done} within ${seconds} s`));
  signal?.addEventListener("abort", () => stop("the check was called off"));
  if (signal?.aborted) stop("the check was called off");
  const megabytes = Math.round(limits.memoryBytes / 1024 ** 2);
  const memory = watchMemory(child, ended, limits.memoryBytes, () =>
    stop(`${work.doing} takes more than ${megabytes} MiB of memory`),
  );
  const [answer, said] = await Promise.all([
    gather(child.stdout, MOST_ANSWERED),
    gather(child.stderr, MOST_SAID),
    memory,
  ]);
  const [code, killedBy] = await ended;
  if (stopped !== undefined) return { reason: stopped };
  const value = lastLine(answer);
  if (value !== undefined) return { value }; // also when the runtime stumbled over its own end after that
  const how = killedBy ? `by ${killedBy}` : `with code ${code}`;
  const words = lastWords(said);
  return { reason: `the process that loaded it ended ${how}${words === "" ? "" : `: ${words}`}` };
}

function start(
  name: string,
  args: readonly string[],
  limits: InspectionLimits,
): ChildProcess & { readonly stdout: Readable; readonly stderr: Readable } {
  const program = [...programArguments(import.meta.url, name), ...args];
  const heapMegabytes = Math.round(limits.memoryBytes / 1024 ** 2);
  // Without the trap handler WebAssembly, which Node itself uses, reserves no ten gigabytes of addresses.
  const nodeArguments = ["--disable-wasm-trap-handler", `--max-old-space-size=${heapMegabytes}`, ...program];
  const env = { NODE_OPTIONS: "", LANG: "C.UTF-8" };
  if (process.platform !== "linux")
    return spawn(process.execPath, nodeArguments, { stdio: ["ignore", "pipe", "pipe"], env });
  // An allocation beyond any reason then fails where it is made, and the runtime says which it was.
  const kilobytes = Math.round((limits.memoryBytes + ADDRESS_SPACE_BYTES) / 1024);
  const script = 'ulimit -v "$0" 2>/dev/null; ulimit -c 0; exec "$@"';
  return spawn("/bin/sh", ["-c", script, String(kilobytes), process.execPath, ...nodeArguments], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
}

/** Calls `onExceeded` when the process holds more. Where there is no /proc only the heap and the time are bounded. */
async function watchMemory(
  child: ChildProcess,
  ended: Promise<unknown>,
  mostBytes: number,
  onExceeded: () => void,
): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const resident = residentBytes(child.pid);
    if (resident === undefined) return;
    if (resident > mostBytes) {
      onExceeded();
      return;
    }
    await Promise.race([ended, once(AbortSignal.timeout(LOOK_EVERY_MS), "abort")]); // the timer keeps nothing alive
  }
}

function residentBytes(pid: number | undefined): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
  } catch {
    return undefined; // it has ended, or this is no Linux
  }
}

async function gather(stream: Readable, most: number): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes <= most) parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function lastLine(answer: string): unknown {
  try {
    return JSON.parse(answer.trimEnd().split("\n").at(-1) ?? "");
  } catch {
    return undefined; // it ended before it could say anything
  }
}

/** The line of an error rather than the lines of code that Node prints around it. */
function lastWords(said: string): string {
  const lines = said.split("\n").map((line) => line.trim());
  const telling = lines.find((line) => /^(?:[\w.]*Error|terminate called|FATAL|<---|.*what\(\))/.test(line));
  return (telling ?? "").replaceAll(/(?:\/[\w.@+-]+)+\//g, "").slice(0, 300);
}
