import { uuidv7 } from "uuidv7";
import type { CloudEvent, EventType } from "../schema/event.ts";
import type { Transaction } from "../store/database.ts";
import { appendEvent } from "../store/events.ts";

export const EVENT_SOURCE = "/leeway";

/** What happened, to what, in words for machines. */
export interface LifeCycleEvent {
  readonly type: EventType;
  /** `models/churn/monitors/daily`. */
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A CloudEvent of Leeway that is not (yet) in the feed. */
export function cloudEventOf(
  event: Omit<LifeCycleEvent, "type"> & { readonly type: string },
  now: Date,
): CloudEvent & { readonly subject: string } {
  return {
    specversion: "1.0",
    id: uuidv7(),
    source: EVENT_SOURCE,
    type: event.type,
    subject: event.subject,
    time: now.toISOString(),
    datacontenttype: "application/json",
    data: { ...event.data },
  };
}

/** Appends the event to the feed, in the transaction of what it tells of. */
export async function emit(tx: Transaction, event: LifeCycleEvent, now: Date): Promise<CloudEvent> {
  const cloudEvent = cloudEventOf(event, now);
  const sequence = await appendEvent(tx, cloudEvent);
  return { ...cloudEvent, sequence };
}
