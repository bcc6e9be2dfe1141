import type { AlertDecision } from "../../alerts/alerts.ts";
import { Alerts, type AlertsOptions } from "../../alerts/alerts.ts";
import { createMetrics } from "../../app/metrics.ts";
import { Outbox } from "../../events/outbox.ts";
import { type AlertRuleSpec, alertRuleSpec, type ChannelSpec } from "../../schema/alert.ts";
import type { WindowResult } from "../../schema/drift-result.ts";
import type { CloudEvent } from "../../schema/event.ts";
import { Database } from "../../store/database.ts";
import { EventStore } from "../../store/events.ts";
import { ResultStore } from "../../store/results.ts";
import { type TestClock, testClock } from "../events/test-clock.ts";

/** Everything that tells people, over a real database: what the monitor does with a window, without the statistics. */
export interface Watch {
  readonly database: Database;
  readonly alerts: Alerts;
  readonly outbox: Outbox;
  readonly clock: TestClock;
  /** Stores the window and lets the rules decide, as the monitor does. */
  see(result: WindowResult): Promise<readonly AlertDecision[]>;
  /** Delivers after a while, so that what settles has settled. */
  deliver(afterMs?: number): Promise<void>;
  events(): Promise<readonly Pick<CloudEvent, "type" | "data">[]>;
  metrics(): Promise<string>;
  close(): Promise<void>;
}

export async function startWatch({
  channels = {},
  rules = {},
  path = ":memory:",
  clock = testClock(),
  ...options
}: {
  readonly channels?: Readonly<Record<string, ChannelSpec>>;
  readonly rules?: Readonly<Record<string, Partial<AlertRuleSpec>>>;
  readonly path?: string;
  readonly clock?: TestClock;
} & Partial<Pick<AlertsOptions, "email" | "privateAddresses" | "settleMs">> = {}): Promise<Watch> {
  const database = await Database.open(path);
  const outbox = new Outbox({ database, now: clock.now, random: () => 0, timeoutMs: 5_000 });
  const metrics = createMetrics({ version: "test" });
  const results = new ResultStore(database);
  const alerts = new Alerts({
    database,
    outbox,
    metrics,
    email: undefined,
    privateAddresses: "allow",
    publicUrl: () => "http://leeway.example.org",
    now: clock.now,
    ...options,
  });
  for (const [name, spec] of Object.entries(channels)) await alerts.channels.put(name, spec);
  for (const [name, spec] of Object.entries(rules)) await alerts.putRule(name, alertRuleSpec.parse(spec));
  return {
    database,
    alerts,
    outbox,
    clock,
    see: (result) =>
      database.transaction(async (tx) => {
        await results.save(tx, result);
        const history = await results.recent(tx, { ...result, limit: 100 });
        return alerts.onWindow(tx, result, history);
      }),
    deliver: async (afterMs = 10_000) => {
      clock.advance(afterMs);
      await outbox.deliverDue();
    },
    events: async () =>
      (await new EventStore(database).after(0, 1_000)).map(({ type, data }) => ({
        type,
        data: JSON.parse(data),
      })),
    metrics: async () => (await metrics.read()).text,
    close: async () => {
      await outbox.close();
      await database.close();
    },
  };
}
