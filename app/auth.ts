import { isIP } from "node:net";
import type { MiddlewareHandler } from "hono";
import { ServiceError } from "../schema/errors.ts";
import { LEAST_ROLE, MAY, permissionFor } from "./access.ts";
import type { Config } from "./config-schema.ts";
import type { KeyRing } from "./keys.ts";

/** Tokens of retrain runs begin so; `retrain-trigger/` checks them itself. */
export const RUN_TOKEN_PREFIX = "lwr_";

/** Whether only programs of this machine can reach a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}

/** @throws ServiceError `invalid-config` when others could reach the server and no key would stop them. */
export function refuseOpenServer({ host, data_dir }: Config, keys: KeyRing): void {
  if (isLoopback(host) || keys.state() === "guarded") return;
  throw new ServiceError(
    "invalid-config",
    `host ${host} can be reached from other machines, and no API key is configured: make one first with "leeway key create --role admin --data-dir ${data_dir}", or listen on 127.0.0.1`,
  );
}

/**
 * Lets a call through when its key may make it. Without any key, on loopback, everything is open to programs
 * of this machine, but not to web pages of other sites that its browser shows.
 */
export function requireKey(config: Config, keys: KeyRing): MiddlewareHandler {
  const loopback = isLoopback(config.host);
  const publicHost = config.public_url === undefined ? undefined : new URL(config.public_url).hostname;
  return async (c, next) => {
    const permission = permissionFor(c.req.method, c.req.path);
    if (permission === "open" || (permission === "metrics" && loopback)) return next();
    if (loopback && keys.state() === "open") {
      refuseForeignPage(c.req.raw.headers, c.req.method, publicHost);
      return next();
    }
    const [, token] = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "") ?? [];
    if (token === undefined) {
      throw new ServiceError(
        "unauthorized",
        "this call needs a key: send the header Authorization: Bearer <key>",
      );
    }
    if (permission === "run-status" && token.startsWith(RUN_TOKEN_PREFIX)) return next();
    const key = keys.find(token);
    if (!key) throw new ServiceError("unauthorized", "the key is not known: it may have been revoked");
    const needed = permission === "metrics" ? "read" : permission === "run-status" ? "change" : permission;
    if (!MAY[key.role].has(needed)) {
      throw new ServiceError(
        "forbidden",
        `key "${key.name}" has the role ${key.role}: this call needs ${LEAST_ROLE[permission]}`,
      );
    }
    c.set("actor", key.name);
    return next();
  };
}

/** DNS rebinding gives another site's page this server's address, but not its name; a cross-site call says where it is from. */
function refuseForeignPage(headers: Headers, method: string, publicHost: string | undefined): void {
  const host = headers.get("host");
  const ours = (name: string | undefined) => name !== undefined && (isLoopback(name) || name === publicHost);
  if (!ours(hostnameOf(`http://${host}`))) {
    throw new ServiceError(
      "forbidden",
      `host ${host} is not this server's name: open it as 127.0.0.1 or localhost, set public_url, or configure API keys`,
    );
  }
  const origin = headers.get("origin");
  const unsafe = method !== "GET" && method !== "HEAD";
  if (unsafe && origin !== null && hostnameOf(origin) !== hostnameOf(`http://${host}`)) {
    throw new ServiceError(
      "forbidden",
      `a page of ${origin} may not change anything here: configure API keys for it`,
    );
  }
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
