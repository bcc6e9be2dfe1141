import { z } from "zod";

/** Life-cycle events: `dev.leeway.<subject>.<past tense>`. The list grows with the parts that emit them. */
export const eventTypes = [
  "dev.leeway.model.registered",
  "dev.leeway.model.deleted",
  "dev.leeway.alias.changed",
  "dev.leeway.deployment.started",
  "dev.leeway.deployment.upgraded",
  "dev.leeway.deployment.promoted",
  "dev.leeway.deployment.rolled_back",
  "dev.leeway.deployment.stopped",
  "dev.leeway.deployment.failed",
  "dev.leeway.baseline.created",
  "dev.leeway.drift.detected",
  "dev.leeway.drift.cleared",
  "dev.leeway.quality.failed",
  "dev.leeway.quality.recovered",
  "dev.leeway.alert.fired",
  "dev.leeway.alert.resolved",
  "dev.leeway.profile.finished",
  "dev.leeway.retrain.requested",
  "dev.leeway.retrain.started",
  "dev.leeway.retrain.completed",
  "dev.leeway.retrain.failed",
] as const;

export type EventType = (typeof eventTypes)[number];

/** A CloudEvents 1.0 event in its JSON form. `sequence` (a CloudEvents extension) orders the events of the feed as text. */
export const cloudEvent = z
  .object({
    specversion: z.literal("1.0"),
    id: z.string(),
    source: z.string(),
    type: z.string(),
    subject: z.string().optional(),
    time: z.string(),
    datacontenttype: z.literal("application/json"),
    data: z.record(z.string(), z.unknown()),
    sequence: z.string().optional(),
  })
  .meta({ id: "CloudEvent" });

export type CloudEvent = z.infer<typeof cloudEvent>;
