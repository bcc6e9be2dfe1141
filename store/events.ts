import type { CloudEvent } from "../schema/event.ts";
import type { Database, Transaction } from "./database.ts";

export interface StoredEvent {
  readonly sequence: number;
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly time: Date;
  /** JSON text. */
  readonly data: string;
}

/** Digits of a sequence as text, so that events sort as text as they do as numbers. */
const SEQUENCE_DIGITS = 16;

export function sequenceText(sequence: number): string {
  return String(sequence).padStart(SEQUENCE_DIGITS, "0");
}

/** Appends the event with the next sequence number and returns it. Writes are taken one after the other, so none is skipped or used twice. */
export async function appendEvent(
  tx: Transaction,
  event: CloudEvent & { readonly subject: string },
): Promise<string> {
  const [row] = await tx.all<{ next: number }>("select coalesce(max(sequence), 0) + 1 as next from events");
  const sequence = row?.next ?? 1;
  await tx.run(
    "insert into events values ($sequence, $id, $type, $subject, $time::timestamptz, $data::json)",
    {
      sequence,
      id: event.id,
      type: event.type,
      subject: event.subject,
      time: event.time,
      data: JSON.stringify(event.data),
    },
  );
  return sequenceText(sequence);
}

/** Life-cycle events, in the order in which they were committed. Append-only. */
export class EventStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /** Events after the sequence number, oldest first. */
  async after(sequence: number, limit: number): Promise<StoredEvent[]> {
    return this.#database.all<StoredEvent>(
      `select * from events where sequence > $sequence order by sequence limit ${Math.trunc(limit)}`,
      { sequence },
    );
  }
}
