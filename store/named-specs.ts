import { ServiceError } from "../schema/errors.ts";
import type { Database, Transaction } from "./database.ts";

/** Something users PUT by name: a rule, a channel, a policy. */
export interface NamedSpec<Spec> {
  readonly name: string;
  readonly spec: Spec;
  readonly created_at: string;
  readonly updated_at: string;
}

interface Row {
  readonly name: string;
  readonly spec: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

type Reads = Pick<Transaction, "all">;

/** A table of specs by name. The names of tables and what they hold are written here, never passed in by users. */
export class NamedSpecs<Spec> {
  readonly #database: Database;
  readonly #table: "alert_rules" | "channels" | "retrain_policies";
  readonly #noun: string;
  readonly #parse: (stored: unknown) => Spec;

  constructor(
    database: Database,
    {
      table,
      noun,
      parse,
    }: {
      readonly table: "alert_rules" | "channels" | "retrain_policies";
      readonly noun: string;
      readonly parse: (stored: unknown) => Spec;
    },
  ) {
    this.#database = database;
    this.#table = table;
    this.#noun = noun;
    this.#parse = parse;
  }

  async put(
    tx: Transaction,
    { name, spec, now }: { readonly name: string; readonly spec: Spec; readonly now: Date },
  ): Promise<void> {
    await tx.run(
      `insert into ${this.#table} (name, spec, created_at, updated_at)
       values ($name, $spec::json, $now::timestamptz, $now::timestamptz)
       on conflict (name) do update set spec = excluded.spec, updated_at = excluded.updated_at`,
      { name, spec: JSON.stringify(spec), now: now.toISOString() },
    );
  }

  async find(name: string, reads: Reads = this.#database): Promise<NamedSpec<Spec> | undefined> {
    const [row] = await reads.all<Row>(
      `select name, spec, created_at, updated_at from ${this.#table} where name = $name`,
      { name },
    );
    return row && this.#stored(row);
  }

  /** @throws ServiceError `not-found`, naming those there are. */
  async get(name: string, reads: Reads = this.#database): Promise<NamedSpec<Spec>> {
    const found = await this.find(name, reads);
    if (found) return found;
    const names = (await this.list(reads)).map((known) => known.name);
    throw new ServiceError(
      "not-found",
      `there is no ${this.#noun} "${name}": ${names.length > 0 ? `there are ${names.join(", ")}` : "none has been made yet"}`,
    );
  }

  async list(reads: Reads = this.#database): Promise<NamedSpec<Spec>[]> {
    const rows = await reads.all<Row>(
      `select name, spec, created_at, updated_at from ${this.#table} order by name`,
    );
    return rows.map((row) => this.#stored(row));
  }

  async remove(tx: Transaction, name: string): Promise<void> {
    await tx.run(`delete from ${this.#table} where name = $name`, { name });
  }

  #stored(row: Row): NamedSpec<Spec> {
    return {
      name: row.name,
      spec: this.#parse(JSON.parse(row.spec)),
      created_at: row.created_at.toISOString(),
      updated_at: row.updated_at.toISOString(),
    };
  }
}

/** Targets that a receiver's 410 has disabled. */
export class DisabledTargets {
  readonly #database: Database;
  readonly #table: "channels" | "retrain_policies";
  constructor(database: Database, table: "channels" | "retrain_policies") {
    this.#database = database;
    this.#table = table;
  }

  async disable(
    tx: Transaction,
    { name, at, why }: { readonly name: string; readonly at: Date; readonly why: string },
  ): Promise<void> {
    await tx.run(
      `update ${this.#table} set disabled_at = $at::timestamptz, disabled_why = $why where name = $name`,
      {
        name,
        at: at.toISOString(),
        why,
      },
    );
  }

  async enable(tx: Transaction, name: string): Promise<void> {
    await tx.run(`update ${this.#table} set disabled_at = null, disabled_why = null where name = $name`, {
      name,
    });
  }

  /** Since when and why the target is disabled; null when it takes messages. */
  async find(name: string): Promise<{ readonly at: string; readonly why: string } | null> {
    const [row] = await this.#database.all<{ disabled_at: Date; disabled_why: string | null }>(
      `select disabled_at, disabled_why from ${this.#table} where name = $name and disabled_at is not null`,
      { name },
    );
    return row ? { at: row.disabled_at.toISOString(), why: row.disabled_why ?? "" } : null;
  }
}
