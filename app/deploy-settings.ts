import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { GroupProgram } from "../deployer/group-client.ts";
import type { CaptureTarget } from "../deployer/make-plan.ts";
import { programArguments } from "../deployer/own-program.ts";
import type { Config } from "./config-schema.ts";
import { addKey, hashKey, KeyRing, readKeyFile } from "./keys.ts";

const KEY_NAME = "leeway-replicas";
const KEY_FILE = "replicas.key";
const OWNER_ONLY = 0o600;

/** How this program starts others of its kind. What is configured for the server, secrets too, is not for them. */
export function replicaProgram(): GroupProgram {
  const own = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith("LEEWAY_"),
  );
  return { arguments: programArguments(import.meta.url, "./cli"), env: Object.fromEntries(own) };
}

/** How replicas reach the collector: where keys are needed, with one of their own that may do nothing but send records. */
export function captureTarget(config: Config, url: string): CaptureTarget {
  if (new KeyRing(config).state() === "open") return { url, apiKeyFile: undefined };
  const apiKeyFile = resolve(config.data_dir, KEY_FILE);
  const known = readKeyFile(config.data_dir).find(({ name }) => name === KEY_NAME);
  if (!known || !existsSync(apiKeyFile) || hashKey(readFileSync(apiKeyFile, "utf8").trim()) !== known.hash) {
    const key = `leeway_${randomBytes(32).toString("base64url")}`;
    writeFileSync(join(config.data_dir, KEY_FILE), `${key}\n`, { mode: OWNER_ONLY });
    const name = known ? `${KEY_NAME}-${randomBytes(4).toString("hex")}` : KEY_NAME;
    addKey(config.data_dir, {
      name,
      role: "ingest",
      hash: hashKey(key),
      created_at: new Date().toISOString(),
    });
  }
  return { url, apiKeyFile };
}
