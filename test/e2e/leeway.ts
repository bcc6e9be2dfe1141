import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import { built } from "../built-program.ts";

const ROOT = join(import.meta.dirname, "..", "..");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

/** A folder that goes when the test file has ended: call `remove` then. */
export function makeFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "leeway-e2e-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs the real program to its end. Whatever it says, it never says a stack trace. */
export async function leeway(args: readonly string[], around: Surroundings = {}): Promise<Ended> {
  const child = start(args, around);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (part: Buffer) => {
    stdout += part;
  });
  child.stderr.on("data", (part: Buffer) => {
    stderr += part;
  });
  child.stdin.end(around.input ?? "");
  const [code] = (await once(child, "close")) as [number | null];
  expect(`${stdout}${stderr}`).not.toMatch(/^\s+at .+:\d+:\d+\)?$|please report it/m);
  return { code, stdout, stderr };
}

export interface Served {
  readonly url: string;
  /** Everything it has written so far. */
  output(): string;
  /** Stops it as a service manager does, and tells how it ended. */
  stop(): Promise<number | null>;
}

/** Runs `leeway serve` on a free port; resolves when it listens. @throws Error with its words when it ends before. */
export async function serve(args: readonly string[], around: Surroundings = {}): Promise<Served> {
  const child = start(["serve", ...args], { ...around, env: { LEEWAY_PORT: "0", ...around.env } });
  let output = "";
  child.stderr.on("data", (part: Buffer) => {
    output += part;
  });
  const ended = once(child, "close") as Promise<[number | null]>;
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      output += `${line}\n`;
      const found = /"url":"([^"]+)".*"msg":"listening"/.exec(line)?.[1];
      if (found) resolve(found);
    });
    void ended.then(([code]) => reject(new Error(`leeway serve ended with ${code}:\n${output}`)));
  });
  return {
    url,
    output: () => output,
    stop: async () => {
      child.kill("SIGTERM");
      return (await ended)[0];
    },
  };
}

function start(args: readonly string[], { env = {}, cwd }: Surroundings) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("LEEWAY_"));
  return spawn(process.execPath, [built("app/cli.ts"), ...args], {
    cwd: cwd ?? ROOT,
    env: { ...Object.fromEntries(own), ...env },
    stdio: "pipe",
  });
}
