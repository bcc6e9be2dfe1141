import { rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { controlSocket, GROUP_FILE, type GroupRecord } from "./group-state.ts";
import { ReplicaGroup } from "./replica-group.ts";
import type { ReplicaLog } from "./replica-log.ts";

const MOST_ORDER_BYTES = 64 * 1024;

/**
 * Runs the group of a deployment until it is told to stop: a process of its own, which outlives the server that has
 * started it. It holds the listening socket and takes orders at a socket in its folder.
 */
export async function runGroup({
  folder,
  host,
  port,
  version,
  log,
  stopped,
}: {
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly log: ReplicaLog;
  readonly stopped: Promise<unknown>;
}): Promise<void> {
  const group = new ReplicaGroup(folder, log, version);
  let stop: () => void = () => undefined;
  const told = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const control = await listenForOrders(controlSocket(folder), (request, response) =>
    answerOrder({ group, stop }, request, response),
  );
  const write = (replicas: readonly number[]) => {
    const record: GroupRecord = { pid: process.pid, host, port, replicas: [...replicas] };
    writeFileSync(join(folder, GROUP_FILE), `${JSON.stringify(record)}\n`, { mode: 0o600 });
  };
  write([]);
  group.onReplicas(write);
  log("info", "the group takes orders", { pid: process.pid, port });
  await Promise.race([told, stopped]);
  await group.stop();
  control.close();
  control.closeAllConnections();
  rmSync(join(folder, GROUP_FILE), { force: true });
  log("info", "the group has ended");
}

async function listenForOrders(
  path: string,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<Server> {
  rmSync(path, { force: true }); // of one that was killed: whoever starts a group has looked whether one is there
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.statusCode = 409;
      response.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
    });
  });
  const before = process.umask(0o077); // the socket is for its owner
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(before);
  }
  return server;
}

async function answerOrder(
  { group, stop }: { readonly group: ReplicaGroup; readonly stop: () => void },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const order = `${request.method} ${request.url}`;
  response.setHeader("content-type", "application/json");
  const body = await textOf(request);
  if (order === "POST /plan") await group.serve((JSON.parse(body) as { file: string }).file);
  else if (order === "POST /stop") stop();
  else if (order !== "GET /status") response.statusCode = 404;
  response.end(JSON.stringify(group.status));
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MOST_ORDER_BYTES) throw new RangeError("an order is not that long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
