import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { ServiceError } from "../../schema/errors.ts";
import type { Clock } from "../clock.ts";
import type { FileTree } from "../file-tree.ts";
import { processStat, processTree } from "../meters/processes.ts";
import type { Service } from "./service.ts";

const POLL_MS = 50;
const GRACE_MS = 3_000;
const KEPT_OUTPUT = 4_096;

/** The service did not get ready in the time that it may take. */
export class NotReady extends ServiceError {}

/** A command that serves HTTP on loopback. */
export interface CommandTarget {
  /** For the shell; `{port}` stands for the port, which is in the variable PORT too. */
  readonly command: string;
  /** A free port is chosen when absent. */
  readonly port?: number | undefined;
  /** Path that answers with 2xx once the service is ready; when absent, it is ready when it takes connections. */
  readonly ready?: string | undefined;
  readonly readyTimeoutMs: number;
}

/**
 * Starts the command in a session and process group of its own and waits until it is ready.
 *
 * @param wrap - Puts the command where it is to run (a limiter's).
 * @throws ServiceError `conflict` when the port is taken; `upstream-failed` with its last words when it ends or does not get ready.
 */
export async function startCommand(
  target: CommandTarget,
  {
    wrap,
    env,
    tree,
    clock,
    signal,
  }: {
    readonly wrap: (command: readonly string[]) => readonly string[];
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly tree: FileTree;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<Service & { readonly pid: number }> {
  const port = target.port ?? (await freePort());
  if (await takesConnections(port)) {
    throw new ServiceError(
      "conflict",
      `something listens on port ${port} already: stop it, or choose another port with --port`,
    );
  }
  const text = target.command.replaceAll("{port}", String(port));
  const [program = "/bin/sh", ...args] = wrap(["/bin/sh", "-c", isSimple(text) ? `exec ${text}` : text]);
  const startedMs = clock.monotonicMs();
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, PORT: String(port) },
  });
  const output = keepOutput(child);
  let failure: string | undefined;
  child.once("error", (error) => {
    failure = error.message;
  });
  const { pid } = child;
  if (pid === undefined) {
    await once(child, "error").catch(() => undefined);
    throw new ServiceError("upstream-failed", `could not start "${text}": ${failure ?? "no process"}`);
  }
  const death = () => failure ?? deathOf(child);
  const stop = () => stopTree(child, pid, tree, clock);
  try {
    await untilReady({ ...target, port, death, output, clock, signal, startedMs });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    origin: `http://127.0.0.1:${port}`,
    pid,
    readyMs: clock.monotonicMs() - startedMs,
    death: () => {
      const how = death();
      return how === undefined ? undefined : `${how}${lastWords(output())}`;
    },
    stop,
  };
}

/** Whether it is one program with its arguments: then no shell has to stay around it. */
function isSimple(command: string): boolean {
  return (
    !/[;&|<>()`$\n]/.test(command.replace(/'[^']*'/g, "")) && !/^\s*(?:\w+=|exec\s|cd\s|\.\s)/.test(command)
  );
}

async function untilReady({
  port,
  ready,
  readyTimeoutMs,
  command,
  death,
  output,
  clock,
  signal,
  startedMs,
}: CommandTarget & {
  readonly port: number;
  readonly death: () => string | undefined;
  readonly output: () => string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly startedMs: number;
}): Promise<void> {
  for (;;) {
    const how = death();
    if (how !== undefined) {
      throw new ServiceError(
        "upstream-failed",
        `"${command}" ${how} before it was ready${lastWords(output())}`,
      );
    }
    if (await (ready === undefined ? takesConnections(port) : answersWell(port, ready))) return;
    if (clock.monotonicMs() - startedMs > readyTimeoutMs) {
      const awaited = ready === undefined ? "takes no connections" : `does not answer ${ready} with 2xx`;
      throw new NotReady(
        "upstream-failed",
        `"${command}" ${awaited} on port ${port} after ${Math.round(readyTimeoutMs / 1_000)} s: it has to listen on the port in {port} or $PORT, or on the one given with --port${lastWords(output())}`,
      );
    }
    await clock.pause(POLL_MS, signal);
  }
}

async function answersWell(port: number, path: string): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      redirect: "manual",
      signal: AbortSignal.timeout(2_000),
    });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new TypeError("no port");
  return address.port;
}

function deathOf({ exitCode, signalCode }: ChildProcess): string | undefined {
  if (signalCode !== null) return `was ended by ${signalCode}`;
  return exitCode === null ? undefined : `ended with code ${exitCode}`;
}

function keepOutput(child: ChildProcess): () => string {
  let kept = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (part: Buffer) => {
      kept = `${kept}${part}`.slice(-KEPT_OUTPUT);
    });
  }
  return () => kept;
}

function lastWords(output: string): string {
  const lines = output.trim().split("\n").slice(-5).join("\n  ");
  return lines === "" ? "" : `; its last words:\n  ${lines}`;
}

/** Asks the whole tree to end, waits a little, and ends what is left. */
async function stopTree(child: ChildProcess, pid: number, tree: FileTree, clock: Clock): Promise<void> {
  const members = new Set(processTree(tree, pid).map((process) => process.pid));
  const left = () => {
    const alive = [...members].flatMap((member) => processStat(tree, member) ?? []);
    return alive.concat(processTree(tree, pid)).filter(({ state }) => state !== "Z" && state !== "X");
  };
  signalAll([-pid, ...members], "SIGTERM");
  const until = clock.monotonicMs() + GRACE_MS;
  while ((deathOf(child) === undefined || left().length > 0) && clock.monotonicMs() < until) {
    await clock.pause(POLL_MS);
  }
  signalAll(
    left().map((process) => process.pid),
    "SIGKILL",
  );
  if (deathOf(child) === undefined) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // ended meanwhile
    }
  }
}
