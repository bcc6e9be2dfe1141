import { z } from "zod";
import { durationText } from "./duration.ts";
import { resourceName } from "./names.ts";

export const severity = z.enum(["info", "warning", "critical"]);
export type Severity = z.infer<typeof severity>;

/** When to tell whom. `*` in `model` and `monitor` stands for any text. */
export const alertRuleSpec = z
  .strictObject({
    on: z.enum(["drift", "quality", "error"]).default("drift"),
    model: z.string().max(128).default("*"),
    monitor: z.string().max(128).default("*"),
    windows: z.int().min(1).max(100).default(1).meta({ description: "Fire when so many … " }),
    of_last: z
      .int()
      .min(1)
      .max(100)
      .default(1)
      .meta({ description: "… of the last so many windows are bad" }),
    severity: severity.default("warning"),
    channels: z.array(resourceName).default([]),
    remind_every: durationText
      .optional()
      .meta({ description: "Say it again after this long, until resolved or acknowledged" }),
    owner: z.string().max(320).optional(),
    enabled: z.boolean().default(true),
  })
  .refine((rule) => rule.windows <= rule.of_last, {
    path: ["windows"],
    message: "cannot be more than of_last",
  })
  .meta({ id: "AlertRuleSpec" });
export type AlertRuleSpec = z.infer<typeof alertRuleSpec>;

const emailChannel = z.strictObject({
  type: z.literal("email"),
  to: z.array(z.email()).min(1),
  from: z.string().optional(),
});

/** `secret` is `whsec_` and base64 (Standard Webhooks). It is write-only: shown masked. */
export const webhookTarget = z.strictObject({
  type: z.literal("webhook"),
  url: z.url({ protocol: /^https?$/ }),
  secret: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/=]{16,}$/, "expected whsec_ and at least 16 base64 characters")
    .optional(),
});
export type WebhookTarget = z.infer<typeof webhookTarget>;

export const channelSpec = z
  .discriminatedUnion("type", [emailChannel, webhookTarget])
  .meta({ id: "ChannelSpec" });
export type ChannelSpec = z.infer<typeof channelSpec>;

export const alert = z
  .object({
    id: z.string(),
    rule: z.string(),
    model: z.string(),
    monitor: z.string(),
    state: z.enum(["firing", "acknowledged", "resolved"]),
    severity,
    summary: z.string(),
    features: z.array(z.string()),
    since: z.string(),
    last_window_to: z.string(),
    last_notified_at: z.string().nullable(),
    acknowledged_by: z.string().nullable(),
    acknowledged_why: z.string().nullable(),
    resolved_at: z.string().nullable(),
    owner: z.string().nullable(),
  })
  .meta({ id: "Alert" });
export type Alert = z.infer<typeof alert>;
