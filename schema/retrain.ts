import { z } from "zod";
import { webhookTarget } from "./alert.ts";
import { durationText } from "./duration.ts";
import { resourceName } from "./names.ts";

/** When a model is to be trained again, and who is asked to do it. */
export const retrainPolicySpec = z
  .strictObject({
    model: resourceName,
    monitor: resourceName,
    windows: z.int().min(1).max(100).default(2).meta({ description: "Ask when so many …" }),
    of_last: z.int().min(1).max(100).default(3).meta({
      description: "… of the last so many windows drifted; windows with a data-quality fault never count",
    }),
    cooldown: durationText.default("7d"),
    data_window: durationText
      .default("28d")
      .meta({ description: "How much collected data, up to the last window's end, the trainer is given" }),
    target: webhookTarget,
    enabled: z.boolean().default(true),
  })
  .refine((policy) => policy.windows <= policy.of_last, {
    path: ["windows"],
    message: "cannot be more than of_last",
  })
  .meta({ id: "RetrainPolicySpec" });
export type RetrainPolicySpec = z.infer<typeof retrainPolicySpec>;

export const retrainStatus = z.enum(["requested", "started", "completed", "failed"]);
export type RetrainStatus = z.infer<typeof retrainStatus>;

/** What the trainer says of a run: POST to the run's status URL. */
export const retrainReport = z
  .strictObject({
    status: z.enum(["started", "completed", "failed"]),
    message: z.string().max(10_000).optional(),
    version: resourceName.optional().meta({ description: "The version that came out of it" }),
    metrics: z.record(z.string(), z.number()).optional(),
    code: z
      .strictObject({ repository: z.string(), branch: z.string(), commit: z.string(), dirty: z.boolean() })
      .partial()
      .optional(),
    data: z.record(z.string(), z.unknown()).optional(),
    environment: z.record(z.string(), z.unknown()).optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: "RetrainReport" });
export type RetrainReport = z.infer<typeof retrainReport>;

export const retrainRun = z
  .object({
    id: z.string(),
    model: z.string(),
    policy: z.string().nullable(),
    status: retrainStatus,
    reason: z.string(),
    requested_at: z.string(),
    updated_at: z.string(),
    data: z.object({ from: z.string(), to: z.string() }),
    drift: z.record(z.string(), z.unknown()).nullable(),
    reports: z.array(retrainReport.and(z.object({ at: z.string() }))),
  })
  .meta({ id: "RetrainRun" });
export type RetrainRun = z.infer<typeof retrainRun>;
