import { Outbox, type OutboxOptions, type OutboxTarget } from "../../events/outbox.ts";
import { postWebhook } from "../../events/post-webhook.ts";
import { Database } from "../../store/database.ts";
import type { TestClock } from "./test-clock.ts";

/** An outbox over a real database that posts to real receivers, by name. */
export interface PostOffice {
  readonly database: Database;
  readonly outbox: Outbox;
  /** Puts a message in. @returns its id. */
  put(
    receiver: string,
    body: string,
    more?: { readonly coalesceKey?: string; readonly settleMs?: number },
  ): Promise<string>;
  rows(): Promise<readonly StoredRow[]>;
  close(): Promise<void>;
}

export interface StoredRow {
  readonly id: string;
  readonly body: string;
  readonly state: string;
  readonly attempts: number;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly secret: string | null;
  readonly due_at: Date;
}

export async function openPostOffice({
  clock,
  addresses,
  path = ":memory:",
  ...options
}: {
  readonly clock: TestClock;
  readonly addresses: Readonly<Record<string, string>>;
  readonly path?: string;
} & Partial<Pick<OutboxOptions, "timeoutMs" | "random">> &
  Pick<OutboxTarget, "finished" | "count">): Promise<PostOffice> {
  const database = await Database.open(path);
  const outbox = new Outbox({
    database,
    now: clock.now,
    random: options.random ?? (() => 0),
    ...timeout(options),
  });
  outbox.register("test", {
    send: ({ id, target_name, body }, signal) =>
      postWebhook(
        { target: { url: addresses[target_name] ?? "" }, id, contentType: "text/plain", body },
        { privateAddresses: "allow", signal, now: clock.now },
      ),
    ...(options.finished ? { finished: options.finished } : {}),
    ...(options.count ? { count: options.count } : {}),
  });
  return {
    database,
    outbox,
    put: (receiver, body, more = {}) =>
      database.transaction((tx) =>
        outbox.enqueue(tx, { target: { kind: "test", name: receiver }, about: body, body, ...more }),
      ),
    rows: () => database.all<StoredRow>("select * from outbox order by created_at, id"),
    close: async () => {
      await outbox.close();
      await database.close();
    },
  };
}

function timeout({ timeoutMs }: { readonly timeoutMs?: number }) {
  return timeoutMs === undefined ? {} : { timeoutMs };
}
