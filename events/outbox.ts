import { uuidv7 } from "uuidv7";
import type { Database, Transaction } from "../store/database.ts";
import { type AttemptRecord, type DeliveryState, type OutboxMessage, OutboxStore } from "../store/outbox.ts";
import type { DeliveryOutcome } from "./delivery.ts";
import { nextPauseMs } from "./retry-schedule.ts";

/** Messages of one target looked at in one turn. */
const MESSAGES_PER_TURN = 20;
/** Receivers that are spoken to at the same time; one that hangs holds only its own place. */
const LANES = 16;
const DELIVERY_TIMEOUT_MS = 20_000;
/** A message that newer ones keep replacing is sent at the latest after this. */
const LONGEST_SETTLE_MS = 10 * 60_000;
const KEEP_MS = 30 * 86_400_000;
const PRUNE_EVERY_MS = 3_600_000;

export interface NewMessage {
  readonly target: { readonly kind: string; readonly name: string };
  /** What it tells of: the id of an alert or a run. */
  readonly about: string;
  readonly body: string;
  /** What the delivered body holds and the stored one does not; wiped when the message is done with. */
  readonly secret?: string;
  /** A message takes the place of an undelivered one with the same key, so that a receiver gets the newest state and not a storm. */
  readonly coalesceKey?: string;
  /** How long to wait for a newer message of the same key before the first attempt. */
  readonly settleMs?: number;
}

/** The receivers of one kind: alert channels, trainers. */
export interface OutboxTarget {
  /** Attempts a delivery, once. Says every foreseeable mishap in its outcome, without secrets. */
  send(message: OutboxMessage, signal: AbortSignal): Promise<DeliveryOutcome>;
  /** Called in the transaction that records that the message is delivered or given up. */
  finished?(tx: Transaction, message: OutboxMessage, end: DeliveryEnd): Promise<void>;
  /** Called after each recorded attempt. */
  count?(message: OutboxMessage, outcome: DeliveryReport["outcome"]): void;
}

export interface DeliveryEnd {
  readonly state: "delivered" | "gave-up";
  readonly outcome: DeliveryOutcome;
  readonly at: Date;
}

/** One attempt, for the log. Holds no secret. */
export interface DeliveryReport {
  readonly id: string;
  readonly target: string;
  readonly about: string;
  readonly attempt: number;
  readonly outcome: "delivered" | "retried" | "failed";
  readonly detail: string;
}

export interface OutboxOptions {
  readonly database: Database;
  readonly now: () => Date;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  readonly timeoutMs?: number;
}

/**
 * Messages to the outside that are written in the same transaction as what they tell of, and sent afterwards until
 * they are taken or the schedule is used up. At least once: a crash between sending and writing that down sends
 * again, under the same id. Order is not promised, not even to one receiver: a retry comes after later messages.
 */
export class Outbox {
  readonly #database: Database;
  readonly #store: OutboxStore;
  readonly #now: () => Date;
  readonly #random: () => number;
  readonly #timeoutMs: number;
  readonly #targets = new Map<string, OutboxTarget>();
  readonly #lanes = new Map<string, Promise<DeliveryReport[]>>();
  readonly #stop = new AbortController();
  #lastPlan: Promise<unknown> = Promise.resolve();
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor({ database, now, random, timeoutMs = DELIVERY_TIMEOUT_MS }: OutboxOptions) {
    this.#database = database;
    this.#store = new OutboxStore(database);
    this.#now = now;
    this.#random = random;
    this.#timeoutMs = timeoutMs;
  }

  register(kind: string, target: OutboxTarget): void {
    this.#targets.set(kind, target);
  }

  /** Puts the message in, in the caller's transaction. @returns its id. */
  async enqueue(tx: Transaction, message: NewMessage): Promise<string> {
    const now = this.#now();
    const key = message.coalesceKey;
    const waitingSince = (key === undefined ? undefined : await this.#store.supersede(tx, key, now)) ?? now;
    const settled = now.getTime() + (message.settleMs ?? 0);
    const latest = Math.max(now.getTime(), waitingSince.getTime() + LONGEST_SETTLE_MS);
    const id = `msg_${uuidv7()}`;
    await this.#store.add(tx, {
      id,
      target_kind: message.target.kind,
      target_name: message.target.name,
      about: message.about,
      body: message.body,
      secret: message.secret ?? null,
      coalesce_key: key ?? null,
      created_at: now,
      waiting_since: waitingSince,
      due_at: new Date(Math.min(settled, latest)),
      attempts: 0,
    });
    return id;
  }

  /** Body of the message of the key that has yet to be delivered. */
  waiting(tx: Transaction, coalesceKey: string): Promise<string | undefined> {
    return this.#store.waiting(tx, coalesceKey);
  }

  /** Withdraws what waits under the key. */
  async withdraw(tx: Transaction, coalesceKey: string): Promise<void> {
    await this.#store.supersede(tx, coalesceKey, this.#now());
  }

  deliveries(about: readonly string[]): Promise<ReadonlyMap<string, DeliveryState>> {
    return this.#store.deliveries(about);
  }

  health(kind: string, name: string) {
    return this.#store.health(kind, name);
  }

  /** How many messages of each target have failed at least once and wait. */
  undelivered() {
    return this.#store.undelivered();
  }

  /**
   * Attempts what is due and resolves when that is done. Call it every second or so without waiting for the call
   * before: a message under way is not taken twice, and a receiver that hangs does not hold up the others.
   */
  async deliverDue(): Promise<DeliveryReport[]> {
    if (this.#stop.signal.aborted) return [];
    await this.#prune();
    const planned = this.#lastPlan.then(() => this.#startLanes());
    this.#lastPlan = planned.catch(() => undefined);
    const ended = await Promise.allSettled(await planned);
    for (const turn of ended) if (turn.status === "rejected") throw turn.reason;
    return ended.flatMap((turn) => (turn.status === "fulfilled" ? turn.value : []));
  }

  /** Ends attempts under way without recording them: they are made again after the next start. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#lanes.values());
  }

  /** One call at a time, and no lane that was busy when the queue was read: what it is delivering may still be listed as waiting. */
  async #startLanes(): Promise<readonly Promise<DeliveryReport[]>[]> {
    const busy = new Set(this.#lanes.keys());
    const turns = new Map<string, OutboxMessage[]>();
    for (const message of await this.#store.due(this.#now(), MESSAGES_PER_TURN)) {
      const lane = `${message.target_kind}/${message.target_name}`;
      turns.set(lane, [...(turns.get(lane) ?? []), message]);
    }
    const started: Promise<DeliveryReport[]>[] = [];
    for (const [lane, messages] of turns) {
      if (busy.has(lane) || this.#lanes.size >= LANES) continue;
      const turn = this.#deliverInTurn(messages).finally(() => this.#lanes.delete(lane));
      this.#lanes.set(lane, turn);
      started.push(turn);
    }
    return started;
  }

  /** Messages of one target, one after the other; a failure ends the turn, so that a dead receiver costs one timeout. */
  async #deliverInTurn(messages: readonly OutboxMessage[]): Promise<DeliveryReport[]> {
    const reports: DeliveryReport[] = [];
    for (const message of messages) {
      const report = await this.#deliver(message);
      if (report) reports.push(report);
      if (report?.outcome !== "delivered") break;
    }
    return reports;
  }

  async #deliver(message: OutboxMessage): Promise<DeliveryReport | undefined> {
    const target = this.#targets.get(message.target_kind);
    if (!target) return undefined; // a part that this process does not run: the message waits
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#timeoutMs)]);
    const outcome = await target.send(message, signal).catch(unforeseen);
    if (this.#stop.signal.aborted && outcome.result !== "delivered") return undefined;
    const attempt = this.#attempt(message, outcome);
    await this.#database.transaction(async (tx) => {
      await this.#store.record(tx, message.id, attempt);
      if (attempt.state !== "waiting")
        await target.finished?.(tx, message, { state: attempt.state, outcome, at: attempt.at });
    });
    const said =
      attempt.state === "delivered" ? "delivered" : attempt.state === "waiting" ? "retried" : "failed";
    target.count?.(message, said);
    return {
      id: message.id,
      target: `${message.target_kind} ${message.target_name}`,
      about: message.about,
      attempt: message.attempts + 1,
      outcome: said,
      detail: attempt.error ?? "delivered",
    };
  }

  #attempt(message: OutboxMessage, outcome: DeliveryOutcome): AttemptRecord {
    const at = this.#now();
    const status = outcome.status ?? null;
    if (outcome.result === "delivered")
      return { state: "delivered", at, due_at: at, status, error: outcome.note ?? null };
    const pause =
      outcome.result === "failed"
        ? nextPauseMs({
            attempts: message.attempts + 1,
            random: this.#random(),
            retryAfterMs: outcome.retryAfterMs,
          })
        : undefined;
    if (pause === undefined) return { state: "gave-up", at, due_at: at, status, error: outcome.error };
    return { state: "waiting", at, due_at: new Date(at.getTime() + pause), status, error: outcome.error };
  }

  async #prune(): Promise<void> {
    const now = this.#now().getTime();
    if (now - this.#prunedAt < PRUNE_EVERY_MS) return;
    this.#prunedAt = now;
    await this.#database.transaction((tx) => this.#store.prune(tx, new Date(now - KEEP_MS)));
  }
}

/** A bug in a sender must not stop the others nor lose the message; its text may hold anything, so only its name is kept. */
function unforeseen(error: unknown): DeliveryOutcome {
  const name = error instanceof Error ? error.name : "error";
  return { result: "failed", error: `sending failed in an unforeseen way (${name})` };
}
