import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { ServiceError } from "../schema/errors.ts";
import {
  controlSocket,
  GROUP_FILE,
  type GroupRecord,
  type GroupStatus,
  groupRecord,
} from "./replica/group-state.ts";

/** First port of scoring addresses, and how many are tried. */
const FIRST_PORT = 8430;
const PORTS = 500;
const BACKLOG = 1_024;
const START_MS = 30_000;
const LOOK_EVERY_MS = 50;
/** An upgrade loads and checks models. */
const ORDER_MS = 200_000;
const STATUS_MS = 5_000;
/** Replicas have half a minute for the calls under way, and are killed five seconds later. */
const END_MS = 40_000;

/** How Leeway's command line is run here. */
export interface GroupProgram {
  /** For Node. */
  readonly arguments: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The group of a deployment as the server sees it: a process found by its folder. */
export class GroupClient {
  readonly folder: string;
  constructor(folder: string) {
    this.folder = folder;
  }

  /** What was written down of the group; undefined when there is none. */
  get record(): GroupRecord | undefined {
    try {
      return groupRecord.parse(JSON.parse(readFileSync(join(this.folder, GROUP_FILE), "utf8")));
    } catch {
      return undefined;
    }
  }

  /** How the group is; undefined when none answers. */
  async status(): Promise<GroupStatus | undefined> {
    try {
      return await this.#order("GET", "/status", undefined, STATUS_MS);
    } catch (error) {
      if (error instanceof ServiceError && error.code === "unavailable") return undefined;
      throw error;
    }
  }

  /** Has the group serve by a plan. @throws ServiceError `conflict` with the reason when it cannot; the plan before goes on. */
  serve(planFile: string): Promise<GroupStatus> {
    return this.#order("POST", "/plan", { file: planFile }, ORDER_MS);
  }

  /** Has the group let its replicas finish and end; resolves when it has begun to. */
  async stop(): Promise<void> {
    await this.#order("POST", "/stop", {}, STATUS_MS);
  }

  /**
   * Has the group end, if there is one; resolves when it has.
   *
   * @throws ServiceError `conflict` when its replicas are still answering calls after all the time that they have for it.
   */
  async end(): Promise<void> {
    const group = await this.status();
    if (!group) return;
    await this.stop().catch(() => undefined); // it may end at this moment
    const deadline = performance.now() + END_MS;
    // It holds the port until its process is gone.
    while (isAlive(group.pid)) {
      if (performance.now() > deadline)
        throw new ServiceError("conflict", "its replicas of before have not ended: try again in a minute");
      await once(AbortSignal.timeout(LOOK_EVERY_MS), "abort");
    }
  }

  /**
   * Starts a group that holds a listening socket, as a process that outlives this one.
   *
   * @returns The port.
   * @throws ServiceError `conflict` when the port is taken, `unavailable` when the group does not start.
   */
  async start({
    host,
    port,
    program,
  }: {
    readonly host: string;
    readonly port: number | undefined;
    readonly program: GroupProgram;
  }): Promise<number> {
    mkdirSync(join(this.folder, "logs"), { recursive: true, mode: 0o700 });
    const { server, port: found } = await listenOn(host, port);
    const log = openSync(join(this.folder, "logs", "group.log"), "a", 0o600);
    // The descriptor is handed on and this process's own closed before it could take a connection.
    const descriptor = (server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
    const child = spawn(
      process.execPath,
      [
        ...program.arguments,
        "replica-group",
        "--json",
        ...["--folder", this.folder],
        ...["--host", host],
        ...["--port", String(found)],
      ],
      { detached: true, stdio: ["ignore", log, log, descriptor], env: program.env },
    );
    server.close();
    closeSync(log);
    const failed = once(child, "error").then(([error]) => error as Error);
    const ended = once(child, "exit").catch(() => undefined);
    child.unref();
    const deadline = performance.now() + START_MS;
    while (performance.now() < deadline) {
      if (await this.status()) return found;
      const outcome = await Promise.race([failed, ended, once(AbortSignal.timeout(LOOK_EVERY_MS), "abort")]);
      if (outcome instanceof Error || child.exitCode !== null || child.signalCode !== null) break;
    }
    child.kill("SIGKILL");
    throw new ServiceError("unavailable", `the group of replicas did not start: ${lastLine(this.folder)}`);
  }

  #order(
    method: "GET" | "POST",
    path: string,
    body: object | undefined,
    withinMs: number,
  ): Promise<GroupStatus> {
    const socketPath = controlSocket(this.folder);
    return new Promise((resolve, reject) => {
      const gone = (error: Error) =>
        reject(new ServiceError("unavailable", `the group of replicas does not answer (${error.message})`));
      const call = request(
        { socketPath, method, path, agent: false, signal: AbortSignal.timeout(withinMs) },
        (response) => {
          const parts: Buffer[] = [];
          response.on("data", (part: Buffer) => parts.push(part));
          response.on("error", gone);
          response.on("end", () => {
            const answer = JSON.parse(Buffer.concat(parts).toString()) as GroupStatus & {
              readonly error?: string;
            };
            if (response.statusCode === 200) resolve(answer);
            else
              reject(
                new ServiceError("conflict", answer.error ?? `the group answered ${response.statusCode}`),
              );
          });
        },
      );
      call.on("error", gone);
      call.end(body && JSON.stringify(body));
    });
  }
}

function wayOut(code: string | undefined): string {
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return "the host has to be an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them";
  return code === "EACCES" ? "choose a port from 1024 on" : "choose another port";
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function listenOn(
  host: string,
  port: number | undefined,
): Promise<{ readonly server: Server; readonly port: number }> {
  const ports = port === undefined ? Array.from({ length: PORTS }, (_, at) => FIRST_PORT + at) : [port];
  for (const candidate of ports) {
    const server = createServer();
    try {
      server.listen({ host, port: candidate, backlog: BACKLOG });
      await once(server, "listening");
      return { server, port: candidate };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EADDRINUSE" && port === undefined) continue;
      throw new ServiceError(
        "conflict",
        `${host}:${candidate} cannot be listened on (${code}): ${wayOut(code)}`,
      );
    }
  }
  throw new ServiceError("conflict", `no port from ${FIRST_PORT} on is free at ${host}`);
}

function lastLine(folder: string): string {
  try {
    const lines = readFileSync(join(folder, "logs", "group.log"), "utf8")
      .trim()
      .split("\n");
    return (lines.at(-1) ?? "").slice(0, 500);
  } catch {
    return "it has written nothing";
  }
}
