import net, { type Socket } from "node:net";
import tls from "node:tls";
import { AnswerParser, type AnswerReader } from "./answer-parser.ts";

/** Connections that wait longer than this are closed from this side, before the service's own limit (2 s in gunicorn) ends them. */
const IDLE_MS = 1_500;
const SWEEP_MS = 250;
const MOST_IDLE = 256;
const PROBE_MS = 30_000;

/** What a connection tells the call that it carries. */
export interface CallOnWire extends AnswerReader {
  /** More can be written. */
  serviceDrained(): void;
  /** The connection ended before the answer did. */
  serviceFailed(error: NodeJS.ErrnoException): void;
}

/** The scoring service behind the sidecar. */
export interface Upstream {
  /** `host:port` as a `Host` field has it. */
  readonly host: string;
  /** Put before the path of every request. */
  readonly prefix: string;
  /** `fresh` does not reuse a connection, for when a reused one turned out to be closed. */
  connect(call: CallOnWire, method: string | undefined, which: "any" | "fresh"): Connection;
  close(): void;
}

export function openUpstream(address: string): Upstream {
  const { protocol, hostname, host, port, pathname } = new URL(address);
  const open = opener({ protocol, host: hostname.replace(/^\[|\]$/g, ""), port });
  const idle: Connection[] = [];
  const all = new Set<Connection>();
  let sweeps = 0;
  const sweep = setInterval(() => {
    sweeps += 1;
    while (idle[0] && sweeps - idle[0].idleSince > IDLE_MS / SWEEP_MS) idle.shift()?.destroy();
  }, SWEEP_MS).unref();
  return {
    host,
    prefix: pathname.replace(/\/$/, ""),
    connect: (call, method, which) => {
      let connection = which === "any" ? idle.pop() : undefined;
      if (!connection) {
        connection = new Connection(open(), {
          idle: (freed) => {
            freed.idleSince = sweeps;
            if (idle.length < MOST_IDLE) idle.push(freed);
            else freed.destroy();
          },
          closed: (ended) => {
            all.delete(ended);
            const at = idle.indexOf(ended);
            if (at !== -1) idle.splice(at, 1);
          },
        });
        all.add(connection);
      }
      connection.carry(call, method);
      return connection;
    },
    close: () => {
      clearInterval(sweep);
      for (const connection of all) connection.destroy();
    },
  };
}

function opener({
  protocol,
  host,
  port,
}: Readonly<Record<"protocol" | "host" | "port", string>>): () => Socket {
  const options = { host, noDelay: true, keepAlive: true, keepAliveInitialDelay: PROBE_MS };
  if (protocol === "http:") return () => net.connect({ ...options, port: port === "" ? 80 : Number(port) });
  const named = net.isIP(host) === 0 ? { servername: host } : {};
  return () =>
    tls.connect({
      ...options,
      ...named,
      port: port === "" ? 443 : Number(port),
      ALPNProtocols: ["http/1.1"],
    });
}

interface Keeper {
  readonly idle: (connection: Connection) => void;
  readonly closed: (connection: Connection) => void;
}

/** A connection to the service. It carries one call at a time, and waits for the next in between. */
export class Connection {
  /** Sweep of the pool at which it began to wait. */
  idleSince = 0;
  readonly #socket: Socket;
  readonly #keeper: Keeper;
  readonly #parser = new AnswerParser();
  #call: CallOnWire | undefined;
  #calls = 0;
  #heard: "nothing" | "something" = "nothing";
  #error: NodeJS.ErrnoException | undefined;

  constructor(socket: Socket, keeper: Keeper) {
    this.#socket = socket;
    this.#keeper = keeper;
    socket.on("data", (data: Buffer) => this.#received(data));
    socket.on("drain", () => this.#call?.serviceDrained());
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.on("end", () => this.#ended());
    socket.on("close", () => this.#ended());
  }

  /** A kept connection that ends without a word had been closed by the service before the call came. */
  get stale(): boolean {
    return this.#calls > 1 && this.#heard === "nothing";
  }

  carry(call: CallOnWire, method: string | undefined): void {
    this.#call = call;
    this.#calls += 1;
    this.#heard = "nothing";
    this.#parser.begin(method, call);
  }

  /** @returns Whether there is room for more; `serviceDrained` is told when there is again. */
  write(data: Buffer): boolean {
    return this.#socket.destroyed || this.#socket.write(data);
  }

  writeText(latin1: string): boolean {
    return this.#socket.destroyed || this.#socket.write(latin1, "latin1");
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** To be called when request and answer are both through. */
  release(): void {
    this.#call = undefined;
    if (this.#parser.reuse === "no" || this.#socket.destroyed) {
      this.destroy();
      return;
    }
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#keeper.idle(this);
  }

  destroy(): void {
    this.#call = undefined;
    this.#socket.destroy();
    this.#keeper.closed(this);
  }

  #received(data: Buffer): void {
    this.#heard = "something";
    if (!this.#call) {
      this.destroy(); // nobody asked
      return;
    }
    try {
      this.#parser.push(data);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #ended(): void {
    this.#keeper.closed(this);
    const call = this.#call;
    if (!call) {
      this.destroy();
      return;
    }
    if (!this.#error && this.#parser.close() === "whole") {
      this.#socket.destroy();
      call.serviceDrained(); // what is left of the request goes nowhere
      return;
    }
    this.#fail(this.#error ?? Object.assign(new Error("the connection ended"), { code: "ECONNRESET" }));
  }

  #fail(error: Error): void {
    const call = this.#call;
    this.destroy();
    call?.serviceFailed(error);
  }
}
