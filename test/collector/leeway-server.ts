import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { built } from "../built-program.ts";

/** `leeway serve` as a process of its own, on a data folder and a port that is free. */
export interface LeewayServer {
  readonly url: string;
  readonly pid: number;
  kill(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
}

/** Resolves when it listens. @throws Error with what it wrote when it ends before that. */
export async function startLeeway(dataDir: string): Promise<LeewayServer> {
  const child = spawn(
    process.execPath,
    [built("app/cli.ts"), "serve", "--port", "0", "--data-dir", dataDir],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let written = "";
  child.stderr.on("data", (part: Buffer) => {
    written += part;
  });
  const ended = once(child, "exit");
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      written += `${line}\n`;
      const found = /"url":"([^"]+)"/.exec(line)?.[1];
      if (found) resolve(found);
    });
    ended.then(() => reject(new Error(`leeway serve ended before it listened:\n${written}`)));
  });
  return { url, pid: child.pid ?? -1, kill: (signal) => kill(child, ended, signal) };
}

async function kill(child: ChildProcess, ended: Promise<unknown>, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  await ended;
}
