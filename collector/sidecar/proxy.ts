import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "../../schema/errors.ts";
import type { Counters } from "./counters.ts";
import type { Address, SidecarOptions } from "./options.ts";
import { Passage } from "./passage.ts";
import type { Recorder } from "./recorder.ts";
import { openUpstream } from "./upstream.ts";

/** Longer than the minute after which load balancers let an idle connection go, so that they are the ones to end it. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_TIMEOUT_MS = 60_000;
const MOST_HEADER_BYTES = 64 * 1024;

export interface Proxy {
  readonly url: string;
  /** Takes no new connection, and waits for the calls under way, but no longer than `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Listens for calls and passes each on. @throws ServiceError `unavailable` when the port cannot be had. */
export async function startProxy(
  options: SidecarOptions,
  recorder: Recorder,
  counters: Counters,
): Promise<Proxy> {
  const upstream = openUpstream(options.upstream);
  let state: "open" | "closing" = "open";
  const onRetry = () => counters.add("upstream_retries");
  const onEnd = (status: number) => counters.add(countOf(status));
  const pass = (request: IncomingMessage, response: ServerResponse) => {
    if (refusesUpgrade(request, response)) return onEnd(501);
    const { method, url = "/", headers } = request;
    const recording = isProbe(request) ? undefined : recorder.begin({ method, url, headers });
    new Passage(request, response, {
      upstream,
      recording,
      answerIdHeader: options.answerIdHeader,
      state: () => state,
      onRetry,
      onEnd,
    });
  };
  const server = createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: 0, // how long a body may take is for the service to say
    maxHeaderSize: MOST_HEADER_BYTES,
  });
  server.on("request", pass);
  server.on("checkContinue", pass); // the go-ahead is the service's to give
  server.on("checkExpectation", pass);
  server.on("connect", refuseConnect);
  await listenOn(server, options.listen, "--listen");
  return {
    url: urlOf(server, options.listen),
    close: async (graceMs) => {
      state = "closing";
      await closeServer(server, graceMs);
      upstream.close();
    },
  };
}

/** @throws ServiceError `unavailable` with what to do about it. */
export async function listenOn(server: Server, { host, port }: Address, flag: string): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new ServiceError(
      "unavailable",
      `${host}:${port} cannot be listened on (${code}): choose another ${flag}`,
      {
        cause: error,
      },
    );
  }
}

export function urlOf(server: Server, { host }: Address): string {
  const { port, family } = server.address() as AddressInfo; // it listens on a port
  return `http://${family === "IPv6" ? `[${host}]` : host}:${port}`;
}

/** Kubernetes asks whether the service lives; that is no call to it. */
function isProbe({ headers }: IncomingMessage): boolean {
  return headers["user-agent"]?.startsWith("kube-probe/") ?? false;
}

/**
 * Says no to WebSockets and the like, whose bytes are no HTTP messages. `h2c` is an offer that every server may pass
 * over (Java's client makes it by default), so it is passed over.
 */
function refusesUpgrade(request: IncomingMessage, response: ServerResponse): boolean {
  const upgrade = request.headers.upgrade;
  if (upgrade === undefined || !/\bupgrade\b/i.test(request.headers.connection ?? "")) return false;
  if (/^h2c?$/i.test(upgrade.trim())) return false;
  const body = problem(
    `an upgrade to "${upgrade}" does not go through this sidecar: call the service itself for it`,
  );
  response.writeHead(501, {
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  response.end(body);
  return true;
}

function refuseConnect(_: IncomingMessage, socket: Socket): void {
  const body = problem("CONNECT does not go through this sidecar: it stands before one scoring service");
  const head = `HTTP/1.1 501 Not Implemented\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  socket.on("error", () => socket.destroy());
  socket.end(head + body);
}

function problem(detail: string): string {
  return JSON.stringify({
    type: "about:blank",
    title: "Not Implemented",
    status: 501,
    detail,
    code: "invalid-input",
  });
}

function countOf(status: number): Parameters<Counters["add"]>[0] {
  if (status < 200) return "requests_1xx";
  if (status < 300) return "requests_2xx";
  if (status < 400) return "requests_3xx";
  return status < 500 ? "requests_4xx" : "requests_5xx";
}

async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<"closed">((resolve) => server.close(() => resolve("closed")));
  const deadline = performance.now() + graceMs;
  for (;;) {
    server.closeIdleConnections(); // a kept connection is let go as soon as its call is answered
    if ((await Promise.race([closed, sleep(20, "waiting" as const)])) === "closed") return;
    if (performance.now() > deadline) break;
  }
  server.closeAllConnections();
  await closed;
}
