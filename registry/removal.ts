import { emit } from "../events/events.ts";
import { ServiceError } from "../schema/errors.ts";
import type { Database, Transaction } from "../store/database.ts";
import type { ModelRegistryStore } from "../store/model-registry.ts";
import type { StoredVersion } from "../store/model-rows.ts";
import { type Aliases, noVersion } from "./aliases.ts";
import type { BlobStore, Held } from "./blob-store.ts";

/**
 * Says in a few words what uses a version, such as `deployment "churn"`; undefined when nothing does. It is asked inside
 * a transaction: it may read, not write.
 */
export type IsInUse = (model: string, version: string) => string | undefined | Promise<string | undefined>;

export interface RemovalParts {
  readonly database: Database;
  readonly models: ModelRegistryStore;
  readonly aliases: Aliases;
  readonly blobs: BlobStore;
  readonly now: () => Date;
}

/** Deleting versions: not what is still needed, and with the files that nothing else has. */
export class Removal {
  readonly #parts: RemovalParts;
  readonly #users: IsInUse[] = [];

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /** From now on no version is deleted that this one says is in use. */
  askBeforeDeleting(isInUse: IsInUse): void {
    this.#users.push(isInUse);
  }

  /** @throws ServiceError `not-found`; `conflict` while an alias points to it or something uses it. */
  async remove(found: StoredVersion, by: string | undefined): Promise<void> {
    const { model, version } = found;
    await this.#deleteFiles([found], async (tx) => {
      if (!(await this.#parts.models.version(model, version, tx))) throw noVersion(model, version);
      await this.#refuseIfNeeded(tx, found);
      await this.#removeVersion(tx, found, by);
    });
  }

  /** @returns the versions that went with it. @throws as `remove`, when it may not be done with any of them. */
  async removeModel(name: string, by: string | undefined): Promise<readonly StoredVersion[]> {
    const { models, now } = this.#parts;
    const all = await models.versions({
      conditions: [{ field: "name", operator: "=", values: [name] }],
      order: [{ by: "version", direction: "up" }],
      limit: Number.MAX_SAFE_INTEGER,
    });
    await this.#deleteFiles(all, async (tx) => {
      for (const version of all) await this.#refuseIfNeeded(tx, version);
      for (const version of all) await this.#removeVersion(tx, version, by);
      if (await models.version(name, "newest", tx)) {
        throw new ServiceError("conflict", `model "${name}" got a version just now: try again`);
      }
      await models.removeModel(tx, name, now());
    });
    return all;
  }

  async #refuseIfNeeded(tx: Transaction, { model, version }: StoredVersion): Promise<void> {
    const aliases = (await this.#parts.aliases.current(model, tx)).filter((to) => to.version === version);
    if (aliases[0]) {
      throw new ServiceError(
        "conflict",
        `version ${version} of model "${model}" cannot be deleted: alias "${aliases[0].alias}" points to it. Let it point elsewhere first`,
      );
    }
    for (const isInUse of this.#users) {
      const user = await isInUse(model, version);
      if (user === undefined) continue;
      throw new ServiceError(
        "conflict",
        `version ${version} of model "${model}" cannot be deleted: ${user} uses it`,
      );
    }
  }

  async #removeVersion(tx: Transaction, { model, version, sha256 }: StoredVersion, by: string | undefined) {
    await this.#parts.models.removeVersion(tx, model, version);
    await emit(
      tx,
      {
        type: "dev.leeway.model.deleted",
        subject: `models/${model}/versions/${version}`,
        data: { model, version, sha256, deleted_by: by ?? null },
      },
      this.#parts.now(),
    );
  }

  /** Holds the files while `work` commits, so that a crash in between leaves none behind that nobody refers to. */
  async #deleteFiles(
    versions: readonly StoredVersion[],
    work: (tx: Transaction) => Promise<void>,
  ): Promise<void> {
    const hashes = versions.flatMap(({ files, served_sha256 }) => [
      ...files.map(({ sha256 }) => sha256),
      ...(served_sha256 === null ? [] : [served_sha256]),
    ]);
    const held: Held[] = [];
    try {
      for (const sha256 of new Set(hashes)) held.push(await this.#parts.blobs.hold({ sha256, bytes: 0 }));
      await this.#parts.database.transaction(work);
    } finally {
      await this.#parts.blobs.release(held);
    }
  }
}
