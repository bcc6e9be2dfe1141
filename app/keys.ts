import { createHash, timingSafeEqual } from "node:crypto";
import { appendFileSync, chmodSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ServiceError } from "../schema/errors.ts";
import { resourceName } from "../schema/names.ts";
import { type Config, type Role, role } from "./config-schema.ts";

/** A key as it is kept: the hash only. */
export interface StoredKey {
  readonly name: string;
  readonly role: Role;
  /** `sha256:` and hexadecimal digits; keys are long and random, so one round suffices. */
  readonly hash: string;
  readonly created_at: string | null;
}

/** Lines are appended and never changed, so that two commands at once cannot undo each other. */
const line = z.union([
  z.object({ name: resourceName, role, hash: z.string(), created_at: z.string() }),
  z.object({ revoked: resourceName, at: z.string() }),
]);

const FILE = "keys.ndjson";
const OWNER_ONLY = 0o600;
/** A new or revoked key counts after at most this long. */
const LOOK_EVERY_MS = 250;

export function hashKey(key: string): string {
  return `sha256:${createHash("sha256").update(key).digest("hex")}`;
}

/** The keys of a data folder that were made and not revoked. */
export function readKeyFile(dataDir: string): StoredKey[] {
  let text: string;
  try {
    text = readFileSync(join(dataDir, FILE), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const keys = new Map<string, StoredKey>();
  for (const [i, raw] of text.split("\n").entries()) {
    if (raw.trim() === "") continue;
    const entry = parseLine(raw, `${join(dataDir, FILE)}:${i + 1}`);
    if ("revoked" in entry) keys.delete(entry.revoked);
    else keys.set(entry.name, entry);
  }
  return [...keys.values()];
}

function parseLine(raw: string, place: string): z.infer<typeof line> {
  try {
    return line.parse(JSON.parse(raw));
  } catch {
    throw new ServiceError("unavailable", `${place} is not a key: take the line out, or restore the file`);
  }
}

/** Adds a key to a data folder. A server that runs on it knows the key at once. */
export function addKey(dataDir: string, key: StoredKey & { readonly created_at: string }): void {
  if (readKeyFile(dataDir).some(({ name }) => name === key.name)) {
    throw new ServiceError(
      "conflict",
      `a key named "${key.name}" exists: choose another --name, or revoke it first`,
    );
  }
  append(dataDir, key);
}

export function revokeKey(dataDir: string, name: string, now: Date): void {
  const names = readKeyFile(dataDir).map((key) => key.name);
  if (!names.includes(name)) {
    throw new ServiceError("not-found", `no key is named "${name}": there are ${names.join(", ") || "none"}`);
  }
  append(dataDir, { revoked: name, at: now.toISOString() });
}

function append(dataDir: string, entry: object): void {
  mkdirSync(dataDir, { recursive: true });
  const path = join(dataDir, FILE);
  appendFileSync(path, `${JSON.stringify(entry)}\n`, { mode: OWNER_ONLY });
  chmodSync(path, OWNER_ONLY); // also when somebody had made the file readable to others
}

/** The keys of the configuration and of the data folder; the file is read again when it has changed. */
export class KeyRing {
  readonly #configured: readonly StoredKey[];
  readonly #dataDir: string;
  #fromFile: readonly StoredKey[] = [];
  #fileState = "";
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(config: Pick<Config, "api_keys" | "data_dir">) {
    this.#configured = config.api_keys.map(({ name, role, key, hash }) => ({
      name,
      role,
      hash: hash ?? hashKey(key ?? ""),
      created_at: null,
    }));
    this.#dataDir = config.data_dir;
    this.#readAgain();
  }

  /** Whether any key is configured: without one, everybody who reaches the server may do everything. */
  state(): "open" | "guarded" {
    this.#readAgain();
    return this.#configured.length + this.#fromFile.length > 0 ? "guarded" : "open";
  }

  /** Whose key this is. Takes the same time whichever key it is compared with. */
  find(key: string): StoredKey | undefined {
    this.#readAgain();
    const hash = Buffer.from(hashKey(key));
    let found: StoredKey | undefined;
    for (const stored of [...this.#configured, ...this.#fromFile]) {
      const other = Buffer.from(stored.hash);
      if (other.length === hash.length && timingSafeEqual(other, hash)) found ??= stored;
    }
    return found;
  }

  #readAgain(): void {
    if (performance.now() - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = performance.now();
    const stat = statSync(join(this.#dataDir, FILE), { throwIfNoEntry: false });
    const state = stat ? `${stat.ino} ${stat.size} ${stat.mtimeMs}` : "";
    if (state === this.#fileState) return;
    this.#fromFile = readKeyFile(this.#dataDir);
    this.#fileState = state;
  }
}
