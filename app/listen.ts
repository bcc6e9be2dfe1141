import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIPv6 } from "node:net";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import { ServiceError } from "../schema/errors.ts";

interface Bindings {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}
export type Answer = (
  request: Request,
  env: Bindings & { readonly requestId: string },
) => Response | Promise<Response>;

/** Answers a call by itself, or leaves it to the router (`false`). */
export type DirectAnswer = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

/** Headers against misuse by web pages, on every answer. */
export const SECURITY_HEADERS: readonly (readonly [string, string])[] = [
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"],
];

const HEADERS_TIMEOUT_MS = 30_000;
/** Long enough for a large baseline over a slow line. */
const REQUEST_TIMEOUT_MS = 15 * 60_000;
/** Longer than the minute after which load balancers let an idle connection go, so that they are the ones to end it. */
const KEEP_ALIVE_MS = 65_000;

export interface Listener {
  /** How programs on this machine (or, for a wildcard address, others) reach it. */
  readonly url: string;
  /** Takes no new connection, and waits until the requests under way are answered, but no longer than `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Listens on a port. @throws ServiceError `unavailable` when it is taken or forbidden. */
export async function listen({
  host,
  port,
  answer,
  direct,
}: {
  readonly host: string;
  readonly port: number;
  readonly answer: Answer;
  /** Is asked first. */
  readonly direct: DirectAnswer;
}): Promise<Listener> {
  const route = getRequestListener((request, env) => answer(request, withHeaders(env as Bindings)));
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (incoming, outgoing) => {
      if (!direct(incoming, outgoing)) void route(incoming, outgoing);
    },
  );
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new ServiceError("unavailable", whyNot(error, host, port), { cause: error });
  }
  const address = server.address() as AddressInfo;
  return { url: urlOf(host, address.port), close: (graceMs) => closeServer(server, graceMs) };
}

/** What a request is called in its answer and in the log: as it says itself, when that is plain. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const brought = headers["x-request-id"];
  return typeof brought === "string" && /^[\w.:-]{1,128}$/.test(brought) ? brought : randomUUID();
}

/** Gives a request an id, and its answer the headers that all have. */
function withHeaders({ incoming, outgoing }: Bindings): Bindings & { readonly requestId: string } {
  const requestId = requestIdOf(incoming);
  outgoing.setHeader("x-request-id", requestId);
  for (const [name, value] of SECURITY_HEADERS) outgoing.setHeader(name, value);
  return { incoming, outgoing, requestId };
}

function whyNot(error: unknown, host: string, port: number): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") {
    return `port ${port} of ${host} is taken: is another leeway serve running? Stop it, or choose another --port`;
  }
  if (code === "EACCES")
    return `port ${port} of ${host} may not be used by this user: choose a --port above 1023`;
  return `${host}:${port} cannot be listened on (${code ?? error}): choose another --host`;
}

function urlOf(host: string, port: number): string {
  const bare = host.replace(/^\[|\]$/g, "");
  const name = bare === "0.0.0.0" || bare === "::" ? hostname() : bare;
  return `http://${isIPv6(name) ? `[${name}]` : name}:${port}`;
}

async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<"closed">((resolve) => server.close(() => resolve("closed")));
  const deadline = performance.now() + graceMs;
  // A kept-alive connection is let go as soon as its request is answered.
  for (;;) {
    server.closeIdleConnections();
    if ((await Promise.race([closed, sleep(50, "waiting" as const)])) === "closed") return;
    if (performance.now() > deadline) break;
  }
  server.closeAllConnections();
  await closed;
}
