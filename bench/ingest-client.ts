import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

const ROOT = join(import.meta.dirname, "..");

/** Starts a program that prints its port, or its URL as `leeway serve` does, on a line of its own; warnings may come before. */
export async function startServer(args: readonly string[]): Promise<ServerProcess> {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  let port: string | undefined;
  while (!port) {
    const [line] = await once(lines, "line");
    port = /"url":"[^"]+:(\d+)"|^(\d+)$/.exec(line)?.slice(1).find(Boolean);
  }
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { pid: child.pid ?? -1, port: Number(port), stop };
}

/** `leeway serve` as it was built, with its own settings. */
export function startBuiltLeeway(dataDir: string): Promise<ServerProcess> {
  return startServer(["dist/app/cli.js", "serve", "--port", "0", "--data-dir", dataDir]);
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** Sends a body, again when it is told to come back later, and returns the answer's text. */
export async function post(port: number, path: string, body: Uint8Array, type: string): Promise<string> {
  for (;;) {
    const { status, text, retryAfterSeconds } = await postOnce(port, path, body, type);
    if (status < 300) return text;
    if (status !== 429) throw new Error(`${path}: ${status} ${text}`);
    await sleep(retryAfterSeconds * 1_000);
  }
}

async function postOnce(port: number, path: string, body: Uint8Array, type: string) {
  const sent = request({
    agent,
    port,
    path,
    method: "POST",
    host: "127.0.0.1",
    headers: { "content-type": type, "content-length": body.length },
  });
  sent.end(body);
  const [answer] = await once(sent, "response");
  let text = "";
  for await (const part of answer) text += part;
  return {
    status: answer.statusCode as number,
    text,
    retryAfterSeconds: Number(answer.headers["retry-after"] ?? 1),
  };
}

/** Works through the bodies over so many connections at a time. */
export async function postAll(
  port: number,
  path: string,
  bodies: readonly Uint8Array[],
  connections: number,
): Promise<void> {
  let next = 0;
  const work = async () => {
    for (let i = next++; i < bodies.length; i = next++) {
      await post(port, path, bodies[i] as Uint8Array, "application/x-ndjson");
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
}
