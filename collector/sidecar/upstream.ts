import http, { type Agent, type ClientRequest, type RequestOptions } from "node:http";
import https from "node:https";

/** Connections that wait longer than this are closed from this side, before the service's own limit (2 s in gunicorn) ends them. */
const IDLE_MS = 1_500;
const MOST_HEADER_BYTES = 64 * 1024;

/** The scoring service behind the sidecar. */
export interface Upstream {
  /** Begins a request. `connection: new` does not reuse one, for when a reused one turned out to be closed. */
  request(options: {
    readonly method: string | undefined;
    readonly url: string;
    readonly headers: readonly string[];
    readonly connection: "any" | "new";
  }): ClientRequest;
  close(): void;
}

export function openUpstream(address: string): Upstream {
  const { protocol, hostname, port, pathname } = new URL(address);
  const client = protocol === "https:" ? https : http;
  const options = { keepAlive: true, maxFreeSockets: 256, scheduling: "lifo", timeout: IDLE_MS } as const;
  const agent: Agent = new client.Agent(options);
  const host = hostname.replace(/^\[|\]$/g, "");
  const prefix = pathname.replace(/\/$/, "");
  const fresh: Agent = new client.Agent({ keepAlive: false });
  const base: RequestOptions = {
    host,
    port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
    setHost: false,
    maxHeaderSize: MOST_HEADER_BYTES,
  };
  return {
    request: ({ method, url, headers, connection }) =>
      client.request({
        ...base,
        agent: connection === "new" ? fresh : agent,
        method: method ?? "GET",
        path: prefix + url,
        headers: headers as unknown as RequestOptions["headers"], // a list of names and values is taken too
      } as RequestOptions),
    close: () => {
      agent.destroy();
      fresh.destroy();
    },
  };
}
