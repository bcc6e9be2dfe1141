import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ROOT = join(import.meta.dirname, "..");
const TSX = ["--import", import.meta.resolve("tsx")];
const TICKS_PER_SECOND = 100;

/** A program of the bench or of Leeway that runs beside this one. */
export interface Running {
  readonly child: ChildProcess;
  /** Address that it printed. */
  readonly url: string;
  /** Ends it, and tells the code with which it ended. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<number | null>;
}

export interface RunningSidecar extends Running {
  readonly adminUrl: string;
}

/** One of `bench/sidecar-parts.ts`. */
export function startPart(part: string, ...args: readonly string[]): Promise<Running> {
  return startProgram(process.execPath, [...TSX, join(ROOT, "bench/sidecar-parts.ts"), part, ...args]);
}

/** Any program that prints its port on the first line. */
export async function startProgram(program: string, args: readonly string[]): Promise<Running> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const line = await firstLine(child, /^(\d+)$/);
  return running(child, `http://127.0.0.1:${line[1]}`);
}

/** `leeway sidecar`, on free ports unless told otherwise. */
export async function startSidecar(args: readonly string[]): Promise<RunningSidecar> {
  const ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const child = start([join(ROOT, "app/cli.ts"), "sidecar", ...ports, ...args]);
  const [, url = "", adminUrl = ""] = await firstLine(child, /"url":"([^"]+)","admin_url":"([^"]+)"/);
  return { ...running(child, url), adminUrl };
}

/** `leeway serve`. */
export async function startServer(args: readonly string[]): Promise<Running> {
  const child = start([join(ROOT, "app/cli.ts"), "serve", ...args]);
  const [, url = ""] = await firstLine(child, /"url":"([^"]+)".*"msg":"listening"/);
  return running(child, url);
}

/** CPU time that a process has used, in seconds, all its threads together. Linux only. */
export function cpuSeconds({ child }: Running): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process in bytes. Linux only. */
export function residentBytes({ child }: Running): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
  return Number(kib) * 1024;
}

/** The values of a sidecar's `/metrics`, by name and labels as printed and without `leeway_sidecar_`. */
export async function metricsOf({ adminUrl }: RunningSidecar): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at).replace("leeway_sidecar_", ""), Number(line.slice(at + 1))];
    }),
  );
}

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...TSX, ...args], { stdio: ["ignore", "pipe", "inherit"] });
}

function firstLine(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  if (!child.stdout) throw new TypeError("started without a pipe");
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    const early = () => reject(new Error("a part of the bench ended before it listened"));
    child.once("exit", early);
    lines.on("line", (line) => {
      const found = pattern.exec(line);
      if (!found) return; // later lines are read too, or the pipe would fill up
      child.off("exit", early);
      resolve(found);
    });
  });
}

function running(child: ChildProcess, url: string): Running {
  return {
    child,
    url,
    stop: async (signal = "SIGTERM") => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const ended = once(child, "exit") as Promise<[number | null]>;
      child.kill(signal);
      return (await ended)[0];
    },
  };
}
