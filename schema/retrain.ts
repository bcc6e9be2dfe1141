import { z } from "zod";
import { shownWebhook, targetHealth, webhookTarget } from "./alert.ts";
import { durationText } from "./duration.ts";
import { resourceName } from "./names.ts";
import { timeText } from "./record.ts";

/** When a model is to be trained again, and who is asked to do it. */
export const retrainPolicySpec = z
  .strictObject({
    model: resourceName,
    monitor: resourceName,
    windows: z
      .int()
      .min(1)
      .max(100)
      .default(2)
      .meta({ description: "Ask when so many of the last `of_last` windows drifted" }),
    of_last: z.int().min(1).max(100).default(3).meta({
      description:
        "Out of how many windows; one with a data-quality fault counts as not drifted, one with too few rows is passed over",
    }),
    cooldown: durationText.default("7d").meta({
      description:
        "After a request for the model, by any policy or by hand, ask for none for this long, in the windows' time",
    }),
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
    policy: z.string(),
    status: retrainStatus,
    reason: z.string(),
    requested_at: z.string(),
    updated_at: z.string(),
    data: z.object({ from: z.string(), to: z.string() }),
    drift: z.record(z.string(), z.unknown()).nullable(),
    delivery: z
      .object({
        state: z.enum(["waiting", "delivered", "gave-up", "superseded"]),
        attempts: z.int(),
        last_error: z.string().nullable(),
      })
      .nullable()
      .meta({ description: "How the request to the trainer went; null once that is forgotten" }),
    reports: z.array(retrainReport.and(z.object({ at: z.string() }))),
  })
  .meta({ id: "RetrainRun" });
export type RetrainRun = z.infer<typeof retrainRun>;

/** A run asked for by hand. */
export const retrainRequest = z
  .strictObject({
    model: resourceName,
    reason: z.string().min(1).max(2_000),
    policy: resourceName
      .optional()
      .meta({ description: "Whose target is asked; may be left out when the model has one policy" }),
    from: timeText.optional().meta({ description: "Start of the training data; data_window before `to`" }),
    to: timeText
      .optional()
      .meta({ description: "End of the training data; the newest checked window's end" }),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || Date.parse(from) < Date.parse(to), {
    path: ["from"],
    message: "has to be before to",
  })
  .meta({ id: "RetrainRequest" });
export type RetrainRequest = z.infer<typeof retrainRequest>;

/** Why retraining was, or was not, asked for after a window. */
export const retrainDecisionReason = z.enum([
  "drift-persisted",
  "not-yet-persistent",
  "data-quality",
  "too-few-says-nothing",
  "error-says-nothing",
  "quiet",
  "cooling-down",
  "run-in-progress",
  "disabled",
  "superseded",
]);
export type RetrainDecisionReason = z.infer<typeof retrainDecisionReason>;

/** One decision of one policy, kept whatever it was. */
export const retrainDecision = z
  .object({
    policy: z.string(),
    model: z.string(),
    monitor: z.string(),
    window: z.object({ from: z.string(), to: z.string() }),
    action: z.enum(["request", "none"]),
    reason: retrainDecisionReason,
    detail: z.string(),
    run_id: z.string().nullable(),
    decided_at: z.string(),
  })
  .meta({ id: "RetrainDecision" });
export type RetrainDecision = z.infer<typeof retrainDecision>;

export const shownRetrainPolicy = z
  .object({
    name: z.string(),
    spec: z.object({ ...retrainPolicySpec.shape, target: shownWebhook }),
    health: targetHealth,
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: "RetrainPolicy" });
export type ShownRetrainPolicy = z.infer<typeof shownRetrainPolicy>;
