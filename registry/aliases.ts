import { emit } from "../events/events.ts";
import { ServiceError } from "../schema/errors.ts";
import type { AliasChange, AliasState } from "../schema/model-version.ts";
import type { Database, Transaction } from "../store/database.ts";
import { ModelAliasStore } from "../store/model-aliases.ts";
import type { ModelRegistryStore } from "../store/model-registry.ts";

export interface AliasMove {
  readonly model: string;
  readonly alias: string;
  readonly by: string | null;
  readonly why: string | null;
}

/** Names that point to one version at a time, and everything they ever pointed to. */
export class Aliases {
  readonly #database: Database;
  readonly #models: ModelRegistryStore;
  readonly #store: ModelAliasStore;
  readonly #now: () => Date;

  constructor({
    database,
    models,
    now,
  }: { readonly database: Database; readonly models: ModelRegistryStore; readonly now: () => Date }) {
    this.#database = database;
    this.#models = models;
    this.#store = new ModelAliasStore(database);
    this.#now = now;
  }

  /** Points the alias to a version. Where it points there already, nothing changes and no event is told. */
  set(move: AliasMove & { readonly version: string }): Promise<AliasState> {
    return this.#database.transaction(async (tx) => {
      if (!(await this.#models.version(move.model, move.version, tx)))
        throw noVersion(move.model, move.version);
      const before = await this.#store.at(move, tx);
      if (before?.version === move.version) return stateOf(before);
      return stateOf(await this.#change(tx, move, move.version));
    });
  }

  /** Lets the alias point to nothing. Its history stays. */
  remove(move: AliasMove): Promise<AliasState> {
    return this.#database.transaction(async (tx) => {
      const before = await this.#store.at(move, tx);
      if (!before || before.version === null) throw noAlias(move.model, move.alias);
      return stateOf(await this.#change(tx, move, null));
    });
  }

  /**
   * What the alias points to, or pointed to at a time.
   * @throws ServiceError `not-found` when it points, or then pointed, to nothing.
   */
  async find({
    model,
    alias,
    at,
  }: {
    readonly model: string;
    readonly alias: string;
    readonly at?: Date | undefined;
  }): Promise<AliasState & { readonly version: string }> {
    const found = await this.#store.at({ model, alias, at: at?.toISOString() });
    if (found?.version === null || found === undefined) throw noAlias(model, alias, at);
    return { ...stateOf(found), version: found.version };
  }

  current(model: string | undefined, tx?: Transaction) {
    return this.#store.current(model, tx);
  }

  history(query: Parameters<ModelAliasStore["history"]>[0]) {
    return this.#store.history(query);
  }

  async #change(tx: Transaction, move: AliasMove, version: string | null): Promise<AliasChange> {
    const { model, alias, by, why } = move;
    const now = this.#now();
    const change = await this.#store.add(tx, {
      model,
      alias,
      version,
      changed_at: now.toISOString(),
      changed_by: by,
      why,
    });
    await emit(
      tx,
      { type: "dev.leeway.alias.changed", subject: `models/${model}/aliases/${alias}`, data: { ...change } },
      now,
    );
    return change;
  }
}

function stateOf({ model, alias, version, changed_at, changed_by, why }: AliasState): AliasState {
  return { model, alias, version, changed_at, changed_by, why };
}

export function noVersion(model: string, version: string): ServiceError {
  return new ServiceError("not-found", `model "${model}" has no version ${version} in the registry`);
}

function noAlias(model: string, alias: string, at?: Date): ServiceError {
  return new ServiceError(
    "not-found",
    at
      ? `alias "${alias}" of model "${model}" pointed to nothing at ${at.toISOString()}`
      : `alias "${alias}" of model "${model}" points to nothing: leeway model alias set ${model} ${alias} VERSION --why … lets it`,
  );
}
