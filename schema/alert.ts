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
    windows: z
      .int()
      .min(1)
      .max(100)
      .default(1)
      .meta({ description: "Fire when so many of the last `of_last` windows are bad" }),
    of_last: z.int().min(1).max(100).default(1).meta({ description: "Out of how many windows" }),
    severity: severity.default("warning"),
    channels: z.array(resourceName).default([]),
    remind_every: durationText
      .optional()
      .meta({ description: "Say it again after this long, until resolved or acknowledged" }),
    cooldown: durationText.optional().meta({
      description: "After the last word on an alert that has resolved, say nothing new for this long",
    }),
    owner: z
      .string()
      .max(320)
      .optional()
      .meta({ description: "Who is asked to act; the monitor's owner when absent" }),
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
  to: z.array(z.email()).min(1).max(50),
  from: z
    .string()
    .max(320)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    .regex(/^[^\u0000-\u001f\u007f]+$/, "expected an address without control characters")
    .optional(),
});

const webhookSecret = z
  .string()
  .regex(
    /^whsec_(?=[A-Za-z0-9+/=]{16})(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
    "expected whsec_ and the base64 of at least 12 bytes (24 to 64 are usual)",
  );

/**
 * An address that takes Standard Webhooks. Secrets are `whsec_` and base64 and write-only: answers show them
 * masked. While a secret is changed, the old one goes to `previous_secret` and every message carries both signatures.
 */
export const webhookTarget = z.strictObject({
  type: z.literal("webhook"),
  url: z.url({ protocol: /^https?$/ }).max(2_048),
  secret: webhookSecret.optional(),
  previous_secret: webhookSecret.optional(),
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

/** Whether a target still takes messages, and how its last ones went. */
export const targetHealth = z
  .object({
    disabled: z
      .object({ at: z.string(), why: z.string() })
      .nullable()
      .meta({ description: "Set when the receiver answered 410 Gone; PUT the target again to enable it" }),
    waiting: z.int().meta({ description: "Messages that have yet to be delivered" }),
    gave_up: z.int().meta({ description: "Messages that could not be delivered within the retry schedule" }),
    last_delivered_at: z.string().nullable(),
    last_error: z.string().nullable().meta({ description: "Of the newest message that is not delivered" }),
  })
  .meta({ id: "TargetHealth" });
export type TargetHealth = z.infer<typeof targetHealth>;

/** A target as answers show it: secrets, passwords and tokens in the address are masked. */
export const shownWebhook = z.object({
  type: z.literal("webhook"),
  url: z.string(),
  secret: z.string().optional(),
  previous_secret: z.string().optional(),
});
export const shownChannel = z.discriminatedUnion("type", [emailChannel, shownWebhook]);

export const acknowledgement = z
  .strictObject({
    by: z.string().min(1).max(320),
    why: z.string().min(1).max(2_000),
  })
  .meta({ id: "Acknowledgement" });
export type Acknowledgement = z.infer<typeof acknowledgement>;
