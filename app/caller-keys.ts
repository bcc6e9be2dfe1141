import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { DeploymentSpec } from "../schema/deployment.ts";
import { ServiceError } from "../schema/errors.ts";

const LEAST_LENGTH = 20;

/**
 * The keys that callers of a deployment must have, as the command line changes them. Only hashes leave this machine.
 *
 * @param changes - `NAME=FILE` for the key in a file, `NAME=` to take one away, `none` for no keys at all.
 * @throws ServiceError `invalid-input`, which never shows a key.
 */
export function callerKeys(
  before: DeploymentSpec["auth"],
  changes: readonly string[],
): DeploymentSpec["auth"] {
  const keys = new Map((before?.keys ?? []).map((key) => [key.name, key]));
  for (const change of changes) {
    const [, name, file] = /^([^=]+)=(.*)$/s.exec(change) ?? [];
    if (change === "none") keys.clear();
    else if (name === undefined || file === undefined)
      throw new ServiceError("invalid-input", `--caller-key ${change}: expected NAME=FILE, NAME= or none`);
    else if (file !== "") keys.set(name, { name, hash: hashIn(file) });
    else if (!keys.delete(name))
      throw new ServiceError(
        "invalid-input",
        `--caller-key ${change}: there is no such key, there ${keys.size > 0 ? `are ${[...keys.keys()].join(", ")}` : "is none"}`,
      );
  }
  return keys.size > 0 ? { keys: [...keys.values()] } : undefined;
}

function hashIn(file: string): string {
  let key: string;
  try {
    key = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new ServiceError(
      "invalid-input",
      `--caller-key: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  if (key.length < LEAST_LENGTH || /\s/.test(key))
    throw new ServiceError(
      "invalid-input",
      `--caller-key: ${file} holds no key: expected ${LEAST_LENGTH} characters or more, without spaces`,
    );
  return `sha256:${createHash("sha256").update(key).digest("hex")}`;
}
