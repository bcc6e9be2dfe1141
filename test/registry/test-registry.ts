import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { onTestFinished } from "vitest";
import { Registry, type RegistryOptions } from "../../registry/registry.ts";
import { registration } from "../../schema/model-version.ts";
import { Database } from "../../store/database.ts";

export interface TestRegistry {
  readonly registry: Registry;
  readonly database: Database;
  readonly folder: string;
  /** Registers files given by their content. */
  register(
    said: { readonly name: string } & Readonly<Record<string, unknown>>,
    files: Readonly<Record<string, string>>,
    how?: Parameters<Registry["register"]>[2],
  ): ReturnType<Registry["register"]>;
  /** Everything in its folder, by path. */
  stored(): string[];
}

/** A registry on a data folder of its own, with a real database. */
export async function openRegistry(options: Partial<RegistryOptions> = {}): Promise<TestRegistry> {
  const folder = mkdtempSync(join(tmpdir(), "leeway-registry-"));
  mkdirSync(join(folder, "scratch"));
  const database = await Database.open(":memory:", { threads: 1 });
  onTestFinished(async () => {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const registry = await Registry.open({
    database,
    folder: join(folder, "models"),
    scratchDir: join(folder, "scratch"),
    limits: { modelBytes: 1e9 },
    now: () => new Date(),
    ...options,
  });
  return {
    registry,
    database,
    folder,
    stored: () => filesWithin(folder),
    register: async (said, files, how) => {
      const received = [];
      for (const [path, text] of Object.entries(files)) {
        received.push({ path, ...(await registry.blobs.store(Readable.from([Buffer.from(text)]))) });
      }
      return registry.register(registration.parse(said), received, how);
    },
  };
}

export function filesWithin(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** How a promise fails. */
export function refusalOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "it did not fail",
    (error: unknown) => error,
  );
}
