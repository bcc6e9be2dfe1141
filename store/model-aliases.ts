import type { AliasChange } from "../schema/model-version.ts";
import type { Database, Transaction } from "./database.ts";

type Reads = Pick<Transaction, "all">;

interface ChangeRow {
  readonly number: number;
  readonly model: string;
  readonly alias: string;
  readonly version: number | null;
  readonly previous: number | null;
  readonly changed_at: Date;
  readonly changed_by: string | null;
  readonly why: string | null;
}

/** A change of an alias with its place in the order of all changes. */
export interface StoredAliasChange extends AliasChange {
  readonly number: number;
}

const CHANGES =
  "select number, model, alias, version, previous, changed_at, changed_by, why from model_alias_changes";

/** What aliases point to and ever pointed to. Append-only: the last change says what is so now. */
export class ModelAliasStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /** Appends a change, never earlier than the alias's last one, whatever the clock says. */
  async add(tx: Transaction, change: Omit<AliasChange, "previous">): Promise<AliasChange> {
    const last = await this.at(change, tx);
    const changedAt =
      last !== undefined && last.changed_at > change.changed_at ? last.changed_at : change.changed_at;
    const stored: AliasChange = { ...change, changed_at: changedAt, previous: last?.version ?? null };
    await tx.run(
      `insert into model_alias_changes
       select coalesce(max(number), 0) + 1, $model, $alias, $version::integer, $previous::integer,
         $changed_at::timestamptz, $changed_by::varchar, $why::varchar
       from model_alias_changes`,
      { ...stored },
    );
    return stored;
  }

  /** The last change of the alias, or the last one that was not after `at`. */
  async at(
    {
      model,
      alias,
      at,
    }: { readonly model: string; readonly alias: string; readonly at?: string | undefined },
    reads: Reads = this.#database,
  ): Promise<StoredAliasChange | undefined> {
    const until = at === undefined ? "" : "and changed_at <= $at::timestamptz";
    const [row] = await reads.all<ChangeRow>(
      `${CHANGES} where model = $model and alias = $alias ${until} order by number desc limit 1`,
      { model, alias, ...(at === undefined ? {} : { at }) },
    );
    return row && changeOf(row);
  }

  /** What points to a version now, of all models or of one, by name. */
  async current(
    model: string | undefined,
    reads: Reads = this.#database,
  ): Promise<(StoredAliasChange & { readonly version: string })[]> {
    const rows = await reads.all<ChangeRow>(
      `select * from (${CHANGES} ${model === undefined ? "" : "where model = $model"}
         qualify row_number() over (partition by model, alias order by number desc) = 1)
       where version is not null order by model, alias`,
      model === undefined ? {} : { model },
    );
    return rows.map((row) => ({ ...changeOf(row), version: String(row.version) }));
  }

  /** The changes of one alias or of all of the model, newest first. */
  async history({
    model,
    alias,
    before,
    limit,
  }: {
    readonly model: string;
    readonly alias?: string | undefined;
    /** Only changes before this one. */
    readonly before?: number | undefined;
    readonly limit: number;
  }): Promise<StoredAliasChange[]> {
    const rows = await this.#database.all<ChangeRow>(
      `${CHANGES} where model = $model ${alias === undefined ? "" : "and alias = $alias"}
         ${before === undefined ? "" : "and number < $before"}
       order by number desc limit ${Math.trunc(limit)}`,
      { model, ...(alias === undefined ? {} : { alias }), ...(before === undefined ? {} : { before }) },
    );
    return rows.map(changeOf);
  }
}

function changeOf(row: ChangeRow): StoredAliasChange {
  return {
    ...row,
    version: row.version === null ? null : String(row.version),
    previous: row.previous === null ? null : String(row.previous),
    changed_at: row.changed_at.toISOString(),
  };
}
