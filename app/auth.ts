import { isIP } from "node:net";
import { runTokenOf } from "../retrain-trigger/status-token.ts";
import { ServiceError } from "../schema/errors.ts";
import { LEAST_ROLE, MAY, type Permission, permissionFor } from "./access.ts";
import type { Config } from "./config-schema.ts";
import type { KeyRing, StoredKey } from "./keys.ts";

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

/** A call, as far as leave is concerned. */
export interface AskedCall {
  readonly method: string;
  readonly path: string;
  /** The value of a header, whose name is given in small letters. */
  readonly header: (name: string) => string | undefined;
}

/**
 * The name of the key that the call is made with, if it takes one.
 * @throws ServiceError `unauthorized` or `forbidden` when the call may not be made.
 */
export type Guard = (call: AskedCall, permission?: Permission) => string | undefined;

/**
 * Lets a call through when its key may make it. Without any key, on loopback, everything is open to programs
 * of this machine, but not to web pages of other sites that its browser shows.
 */
export function requireKey(config: Config, keys: KeyRing): Guard {
  const loopback = isLoopback(config.host);
  const publicHost = config.public_url === undefined ? undefined : new URL(config.public_url).hostname;
  return (call, permission = permissionFor(call.method, call.path)) => {
    if (permission === "open" || (permission === "metrics" && loopback)) return undefined;
    if (loopback && keys.state() === "open") {
      refuseForeignPage(call, publicHost);
      return undefined;
    }
    const authorization = call.header("authorization");
    if (permission === "run-status" && runTokenOf(authorization) !== undefined) return undefined; // checked by the route
    const key = keyOf(authorization, keys);
    if (!MAY[key.role].has(permission)) {
      throw new ServiceError(
        "forbidden",
        `key "${key.name}" has the role ${key.role}: this call needs ${LEAST_ROLE[permission]}`,
      );
    }
    return key.name;
  };
}

function keyOf(authorization: string | undefined, keys: KeyRing): StoredKey {
  const token = bearer(authorization);
  if (token === undefined) {
    throw new ServiceError(
      "unauthorized",
      "this call needs a key: send the header Authorization: Bearer <key>",
    );
  }
  const key = keys.find(token);
  if (!key) throw new ServiceError("unauthorized", "the key is not known: it may have been revoked");
  return key;
}

function bearer(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
}

/** DNS rebinding gives another site's page this server's address, but not its name; a cross-site call says where it is from. */
function refuseForeignPage({ header, method }: AskedCall, publicHost: string | undefined): void {
  const host = header("host") ?? "";
  const name = host.replace(/:\d+$/, "").toLowerCase();
  if (!isLoopback(name) && name !== publicHost) {
    throw new ServiceError(
      "forbidden",
      `host ${host} is not this server's name: open it as 127.0.0.1 or localhost, set public_url, or configure API keys`,
    );
  }
  if (method === "GET" || method === "HEAD") return;
  const origin = header("origin");
  if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host)) {
    throw new ServiceError(
      "forbidden",
      `a page of ${origin} may not change anything here: configure API keys for it`,
    );
  }
}
