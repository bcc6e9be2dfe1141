import type { Outbox } from "../events/outbox.ts";
import type { MonitorMetrics } from "../schema/metrics.ts";

/** A message is given up only after days: what has failed and waits is what tells in time that somebody is not told. */
export async function showUndelivered({
  outbox,
  metrics,
}: {
  readonly outbox: Pick<Outbox, "undelivered">;
  readonly metrics: MonitorMetrics;
}): Promise<void> {
  const undelivered = await outbox.undelivered();
  metrics.forget("leeway_undelivered_messages", {}); // a target that caught up, or is gone
  for (const { kind, target, messages } of undelivered) {
    metrics.set("leeway_undelivered_messages", { kind, target }, messages);
  }
}
