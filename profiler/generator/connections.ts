import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { LoadTarget } from "./messages.ts";
import type { Wire } from "./open-loop.ts";
import { requestBytes } from "./request-bytes.ts";
import { ResponseParser } from "./response-parser.ts";
import { type Judge, judgeOf } from "./success.ts";

/** A connection that has idled longer may be closed by the service at any moment: services close idle ones after 5 s. */
const IDLE_MS = 2_000;

interface Connection {
  readonly socket: Socket;
  readonly parser: ResponseParser;
  /** Request under way. */
  request: number | undefined;
  idleSince: number;
}

/**
 * Connections that carry one request at a time and are used again. They are opened when a request needs one, never in
 * advance: a service that takes one connection after the other would wait on a silent one. Idle ones take turns, so
 * that the processes of a service that shares its port all get their part.
 */
export class Connections implements Wire {
  readonly #target: LoadTarget;
  readonly #requests: readonly Buffer[];
  readonly #judge: Judge;
  readonly #onEnd: (id: number, outcome: "ok" | "failed", label: string) => void;
  readonly #nowMs: () => number;
  readonly #open = new Set<Connection>();
  readonly #carrying = new Map<number, Connection>();
  #idle: Connection[] = [];

  constructor(
    target: LoadTarget,
    {
      onEnd,
      nowMs,
    }: {
      readonly onEnd: (id: number, outcome: "ok" | "failed", label: string) => void;
      readonly nowMs: () => number;
    },
  ) {
    this.#target = target;
    this.#requests = requestBytes(target);
    this.#judge = judgeOf(target.success);
    this.#onEnd = onEnd;
    this.#nowMs = nowMs;
  }

  send(id: number): "sent" | "busy" {
    const connection = this.#takeIdle() ?? this.#openOne();
    if (!connection) return "busy";
    connection.request = id;
    this.#carrying.set(id, connection);
    connection.socket.write(this.#requests[id % this.#requests.length] as Buffer); // there is at least one
    return "sent";
  }

  cancel(id: number): void {
    const connection = this.#carrying.get(id);
    if (connection) this.#drop(connection);
  }

  close(): void {
    for (const connection of [...this.#open]) this.#drop(connection);
  }

  #takeIdle(): Connection | undefined {
    for (let found = this.#idle.shift(); found; found = this.#idle.shift()) {
      if (!found.socket.writable || this.#nowMs() - found.idleSince > IDLE_MS) this.#drop(found);
      else return found;
    }
    return undefined;
  }

  #openOne(): Connection | undefined {
    if (this.#open.size >= this.#target.connections) return undefined;
    const { hostname, port, protocol } = new URL(this.#target.origin);
    const host = hostname.replace(/^\[|\]$/g, "");
    const socket =
      protocol === "https:"
        ? connectTls({ host, port: Number(port || 443), servername: host })
        : connect({ host, port: Number(port || 80) });
    socket.setNoDelay(true);
    const bodies = this.#target.success.body === undefined ? "skip" : "keep";
    const parser = new ResponseParser(this.#target.method, bodies);
    const connection: Connection = { socket, parser, request: undefined, idleSince: 0 };
    this.#open.add(connection);
    socket.on("data", (bytes: Buffer) => this.#take(connection, bytes));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#fail(connection, error.code ?? "error"));
    socket.on("close", () => {
      const last = connection.parser.close();
      if (last) this.#finish(connection, last);
      this.#fail(connection, "closed");
    });
    return connection;
  }

  #take(connection: Connection, bytes: Buffer): void {
    try {
      const answer = connection.parser.push(bytes);
      if (answer) this.#finish(connection, answer);
    } catch {
      this.#fail(connection, "not HTTP");
    }
  }

  #finish(connection: Connection, answer: NonNullable<ReturnType<ResponseParser["close"]>>): void {
    const id = connection.request;
    connection.request = undefined;
    if (id === undefined) {
      this.#drop(connection); // an answer nobody asked for
      return;
    }
    this.#carrying.delete(id);
    if (answer.connection === "keep" && connection.socket.writable) {
      connection.idleSince = this.#nowMs();
      this.#idle.push(connection);
    } else this.#drop(connection);
    this.#onEnd(id, this.#judge(answer), String(answer.status));
  }

  #fail(connection: Connection, label: string): void {
    const id = connection.request;
    this.#drop(connection);
    if (id !== undefined) this.#onEnd(id, "failed", label);
  }

  #drop(connection: Connection): void {
    if (connection.request !== undefined) this.#carrying.delete(connection.request);
    connection.request = undefined;
    if (!this.#open.delete(connection)) return;
    this.#idle = this.#idle.filter((other) => other !== connection);
    connection.socket.destroy();
  }
}
