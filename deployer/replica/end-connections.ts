import type { Server } from "node:http";
import { Server as NetServer, type Socket } from "node:net";

/** How long a connection that asks for nothing is kept. */
const IDLE_MS = 5_000;

/** The connections of a server, from now on. */
export function connectionsOf(server: Server): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  return open;
}

/**
 * Takes no new connections; those there are end after their next answer (for which the caller sees to it), when they have
 * asked for nothing for a while, and at the latest after `graceMs`. Resolves when all are gone.
 */
export async function endConnections(
  server: Server,
  { graceMs, connections }: { readonly graceMs: number; readonly connections: ReadonlySet<Socket> },
): Promise<void> {
  // Not Server.close of node:http: that ends idle connections at once, under a request that may be on its way.
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  // What came in while this turn of the event loop was busy has not been read yet: to end the connection now would fail a
  // call that was sent in good time. After the next look at the sockets only one that is on the wire meets that.
  const closeIdle = () =>
    setImmediate(() => {
      server.closeIdleConnections();
      // A connection that was made ahead and has sent nothing is not idle to node:http.
      for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
    });
  const idle = setTimeout(closeIdle, Math.min(IDLE_MS, graceMs / 2));
  const idleLater = setInterval(closeIdle, IDLE_MS);
  const hard = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(idle);
  clearInterval(idleLater);
  clearTimeout(hard);
}
