import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { z } from "zod";
import { configOf, type configSchema } from "../../app/config-schema.ts";
import { createLog } from "../../app/log.ts";
import { type RunningServer, startServer } from "../../app/server.ts";

/** The service in this process, on a data folder of its own, with a clock that stands still until it is set. */
export interface TestService {
  readonly server: () => RunningServer;
  readonly dataDir: string;
  setNow(now: Date): void;
  get(path: string): Promise<Record<string, unknown>>;
  text(path: string): Promise<string>;
  /** Sends JSON and takes the answer for good. @throws Error with the answer when it is not. */
  post(path: string, body: unknown): Promise<Record<string, unknown>>;
  put(path: string, body: unknown, type?: string): Promise<Record<string, unknown>>;
  restart(settings?: z.input<typeof configSchema>): Promise<void>;
}

export async function startService({
  now: start,
  settings = {},
}: {
  readonly now: Date;
  readonly settings?: z.input<typeof configSchema>;
}): Promise<TestService> {
  let now = start;
  const folder = mkdtempSync(join(tmpdir(), "leeway-service-"));
  const dataDir = join(folder, "data");
  const open = (with_: z.input<typeof configSchema>) =>
    startServer(configOf({ port: 0, data_dir: dataDir, log_level: "error", ...with_ }), {
      now: () => now,
      log: createLog({ level: "error" }),
      checkEveryMs: 3_600_000,
    });
  let server = await open(settings);
  onTestFinished(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const send = async (method: string, path: string, body: unknown, type: string) => {
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { "content-type": type },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  const text = async (path: string) => (await fetch(`${server.url}${path}`)).text();
  return {
    server: () => server,
    dataDir,
    setNow: (next) => {
      now = next;
    },
    text,
    get: async (path) => JSON.parse(await text(path)) as Record<string, unknown>,
    post: (path, body) => send("POST", path, body, "application/json"),
    put: (path, body, type = "application/json") => send("PUT", path, body, type),
    restart: async (other = settings) => {
      await server.close();
      server = await open(other);
    },
  };
}
