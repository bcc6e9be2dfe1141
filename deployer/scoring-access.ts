import { createHash } from "node:crypto";
import type { DeploymentSpec } from "../schema/deployment.ts";
import { ServiceError } from "../schema/errors.ts";

/** @throws ServiceError `invalid-input` when others could score there and no key would stop them. */
export function refuseOpenAddress(name: string, { host, auth, tls }: DeploymentSpec): void {
  if (
    auth ||
    tls?.client_ca_file ||
    host === "localhost" ||
    host === "::1" ||
    /^127(?:\.\d{1,3}){3}$/.test(host)
  )
    return;
  throw new ServiceError(
    "invalid-input",
    `deployment "${name}": ${host} can be reached from other machines, and no key is asked for: give auth.keys (--caller-key) or tls.client_ca_file (--tls-client-ca), or score at 127.0.0.1`,
  );
}

/** Keys are kept as their hashes. */
export function withHashes(spec: DeploymentSpec): DeploymentSpec {
  if (!spec.auth) return spec;
  const keys = spec.auth.keys.map(({ name, key, hash }) => ({
    name,
    hash:
      hash ??
      `sha256:${createHash("sha256")
        .update(key ?? "")
        .digest("hex")}`,
  }));
  return { ...spec, auth: { keys } };
}
