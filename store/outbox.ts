import { listValue } from "@duckdb/node-api";
import type { TargetHealth } from "../schema/alert.ts";
import type { Database, Transaction } from "./database.ts";

/** `superseded`: a newer message about the same thing took its place before it was delivered. */
export type OutboxState = "waiting" | "delivered" | "gave-up" | "superseded";

/** A message that waits for delivery. */
export interface OutboxMessage {
  /** The same at every attempt: receivers tell a repeat by it. */
  readonly id: string;
  /** Who delivers it (`channel`, `retrain-policy`) and to which of theirs. */
  readonly target_kind: string;
  readonly target_name: string;
  /** What it tells of: the id of an alert or a run. */
  readonly about: string;
  readonly body: string;
  /** What the delivered body holds and the stored one does not; wiped when the message is done with. */
  readonly secret: string | null;
  readonly coalesce_key: string | null;
  readonly created_at: Date;
  /** When the first message of this coalesce key that has not been tried was put in. */
  readonly waiting_since: Date;
  readonly due_at: Date;
  readonly attempts: number;
}

/** What an attempt led to. */
export interface AttemptRecord {
  readonly state: "waiting" | "delivered" | "gave-up";
  readonly at: Date;
  readonly due_at: Date;
  readonly status: number | null;
  readonly error: string | null;
}

/** How the delivery of what was told of something went. */
export interface DeliveryState {
  readonly state: OutboxState;
  readonly attempts: number;
  readonly last_error: string | null;
}

export class OutboxStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  async add(tx: Transaction, message: OutboxMessage): Promise<void> {
    await tx.run(
      `insert into outbox values ($id, $target_kind, $target_name, $about, $body, $secret::varchar, $coalesce_key::varchar,
         $created_at::timestamptz, $waiting_since::timestamptz, $due_at::timestamptz, 'waiting', $attempts, null, null, null, null)`,
      {
        ...message,
        created_at: message.created_at.toISOString(),
        waiting_since: message.waiting_since.toISOString(),
        due_at: message.due_at.toISOString(),
      },
    );
  }

  /**
   * Withdraws what waits under the key. A message under way at this moment may still arrive.
   * @returns since when something untried had been waiting; undefined when nothing had.
   */
  async supersede(tx: Transaction, coalesceKey: string, now: Date): Promise<Date | undefined> {
    const waiting = await tx.all<{ waiting_since: Date; attempts: number }>(
      "select waiting_since, attempts from outbox where coalesce_key = $key and state = 'waiting'",
      { key: coalesceKey },
    );
    if (waiting.length === 0) return undefined;
    await tx.run(
      `update outbox set state = 'superseded', secret = null, finished_at = $now::timestamptz
       where coalesce_key = $key and state = 'waiting'`,
      { key: coalesceKey, now: now.toISOString() },
    );
    return waiting.find(({ attempts }) => attempts === 0)?.waiting_since;
  }

  /** Body of what waits under the key. */
  async waiting(tx: Transaction, coalesceKey: string): Promise<string | undefined> {
    const [row] = await tx.all<{ body: string }>(
      "select body from outbox where coalesce_key = $key and state = 'waiting' limit 1",
      { key: coalesceKey },
    );
    return row?.body;
  }

  /** What is due, oldest first, at most `perTarget` of each target, so that a long queue of one cannot hide the others. */
  async due(now: Date, perTarget: number): Promise<OutboxMessage[]> {
    return this.#database.all<OutboxMessage>(
      `select id, target_kind, target_name, about, body, secret, coalesce_key, created_at, waiting_since, due_at, attempts
       from outbox where state = 'waiting' and due_at <= $now::timestamptz
       qualify row_number() over (partition by target_kind, target_name order by due_at, id) <= ${Math.trunc(perTarget)}
       order by due_at, id`,
      { now: now.toISOString() },
    );
  }

  /**
   * Writes down an attempt. One that was superseded while it was under way keeps that state unless it was delivered.
   * @returns the state it has now; undefined when the message has been pruned.
   */
  async record(tx: Transaction, id: string, attempt: AttemptRecord): Promise<OutboxState | undefined> {
    const [before] = await tx.all<{ state: OutboxState }>("select state from outbox where id = $id", { id });
    if (!before) return undefined;
    const state =
      before.state === "superseded" && attempt.state !== "delivered" ? before.state : attempt.state;
    await tx.run(
      `update outbox set state = $state, attempts = attempts + 1, last_attempt_at = $at::timestamptz,
         due_at = $due_at::timestamptz, last_status = $status::integer, last_error = $error::varchar,
         secret = case when $state = 'waiting' then secret end,
         finished_at = case when $state = 'waiting' then null else $at::timestamptz end
       where id = $id`,
      {
        id,
        state,
        at: attempt.at.toISOString(),
        due_at: attempt.due_at.toISOString(),
        status: attempt.status,
        error: attempt.error,
      },
    );
    return state;
  }

  /** Forgets what was done with before the time. */
  async prune(tx: Transaction, before: Date): Promise<number> {
    return tx.run("delete from outbox where state <> 'waiting' and finished_at < $before::timestamptz", {
      before: before.toISOString(),
    });
  }

  /** The newest message about each of the things named. */
  async deliveries(about: readonly string[]): Promise<ReadonlyMap<string, DeliveryState>> {
    if (about.length === 0) return new Map();
    const rows = await this.#database.all<DeliveryState & { readonly about: string }>(
      `select about, state, attempts, last_error from outbox where list_contains($about, about)
       qualify row_number() over (partition by about order by created_at desc, id desc) = 1`,
      { about: listValue([...about]) },
    );
    return new Map(rows.map(({ about: key, ...delivery }) => [key, delivery]));
  }

  /** Messages that failed at least once and will be tried again, by target; targets without any are left out. */
  async undelivered(): Promise<
    { readonly kind: string; readonly target: string; readonly messages: number }[]
  > {
    return this.#database.all(
      `select target_kind as kind, target_name as target, count(*) as messages
       from outbox where state = 'waiting' and attempts > 0 group by all order by all`,
    );
  }

  async health(kind: string, name: string): Promise<Omit<TargetHealth, "disabled">> {
    const [row] = await this.#database.all<{
      waiting: number;
      gave_up: number;
      last_delivered_at: Date | null;
      last_error: string | null;
    }>(
      `select count(*) filter (state = 'waiting') as waiting, count(*) filter (state = 'gave-up') as gave_up,
         max(finished_at) filter (state = 'delivered') as last_delivered_at,
         arg_max(last_error, created_at) filter (state in ('waiting', 'gave-up') and last_error is not null) as last_error
       from outbox where target_kind = $kind and target_name = $name`,
      { kind, name },
    );
    return {
      waiting: row?.waiting ?? 0,
      gave_up: row?.gave_up ?? 0,
      last_delivered_at: row?.last_delivered_at?.toISOString() ?? null,
      last_error: row?.last_error ?? null,
    };
  }
}
