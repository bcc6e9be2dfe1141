import { z } from "zod";
import { alertRuleSpec, channelSpec } from "../schema/alert.ts";
import { durationMs, durationText } from "../schema/duration.ts";
import { monitorSpec } from "../schema/monitor.ts";
import { featureName, resourceName } from "../schema/names.ts";
import { retrainPolicySpec } from "../schema/retrain.ts";
import { BYTE_AMOUNT } from "./byte-amount.ts";

/** Each role and what it is for; `app/auth.ts` says which calls it may make. */
export const role = z.enum(["viewer", "ingest", "editor", "approver", "admin"]);
export type Role = z.infer<typeof role>;

const apiKey = z
  .strictObject({
    name: resourceName,
    role,
    key: z.string().min(20, "expected at least 20 characters: leeway key create makes a good one").optional(),
    hash: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/, "expected sha256: and the 64 hexadecimal digits of the key's SHA-256")
      .optional(),
  })
  .refine(({ key, hash }) => (key === undefined) !== (hash === undefined), "expected either key or hash");

const HOUR_MS = 3_600_000;
const REDACTION_WAY = /^(drop|hash|truncate:\d{1,6})$/;

const retentionAge = z.union([
  z.literal("forever"),
  durationText.refine(
    (text) => durationMs(text) >= HOUR_MS,
    "expected an hour at least, such as 90d, or forever",
  ),
]);

/** What can be set for one model. */
export const modelSettings = z.strictObject({
  sample: z.number().gt(0).max(1).optional().meta({
    description:
      "Share of the records that is stored, by their ids; errors (status 400 and above) all are; 1 when absent",
  }),
  redact: z
    .record(
      featureName,
      z.string().regex(REDACTION_WAY, "expected drop, hash or truncate:LENGTH, such as truncate:4"),
    )
    .optional()
    .meta({ description: "What is done to a feature or output before anything is written, by its name" }),
  types: z
    .record(featureName, z.enum(["number", "text", "boolean"]))
    .optional()
    .meta({
      description:
        "Types of features and outputs, by name: values of another one count as mismatches. When absent, the first value decides",
    }),
  retention_age: retentionAge
    .optional()
    .meta({ description: "Instead of the common `retention_age`; `forever` keeps all" }),
});

const byteCount = z.int().min(1024);

/** Everything that can be set, by key. Each is also an environment variable: `LEEWAY_` and the key in capitals. */
export const configSchema = z.strictObject({
  host: z.string().min(1).default("127.0.0.1").meta({ description: "Address to listen on" }),
  port: z.int().min(0).max(65_535).default(8420).meta({ description: "Port; 0 takes a free one" }),
  data_dir: z
    .string()
    .min(1)
    .default("./leeway-data")
    .meta({ description: "Folder of the database, the journal and the keys" }),
  public_url: z
    .url({ protocol: /^https?$/, error: "expected an address such as https://leeway.example.org" })
    .optional()
    .meta({ description: "How others reach this server: links in messages begin with it" }),
  api_keys: z.array(apiKey).default([]).meta({ description: "Keys and their roles" }),
  smtp_url: z
    .url({ protocol: /^smtps?$/, error: "expected an address such as smtp://user:password@host:587" })
    .optional()
    .meta({ description: "Mail server for e-mail alerts" }),
  smtp_from: z.string().min(3).optional().meta({ description: "Sender of e-mail alerts" }),
  allow_private_targets: z.boolean().optional().meta({
    description: "Whether webhooks may go to private addresses; when absent, only if host is loopback itself",
  }),
  log_level: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
    .default("info")
    .meta({ description: "Least severity that is logged" }),
  memory_limit: z
    .string()
    .regex(BYTE_AMOUNT, "expected an amount such as 400MB or 2GB")
    .default("200MB")
    .meta({ description: "Most memory the database takes" }),
  max_body_bytes: byteCount.default(33_554_432).meta({ description: "Longest body of records or labels" }),
  max_baseline_bytes: byteCount
    .default(4_294_967_296)
    .meta({ description: "Largest file a baseline is made from" }),
  max_upload_bytes: byteCount
    .default(4_294_967_296)
    .meta({ description: "Longest CSV or Parquet file of records or labels" }),
  max_model_bytes: byteCount
    .default(8_589_934_592)
    .meta({ description: "Largest version of a model, all its files together" }),
  capture_wait: durationText
    .default("1h")
    .meta({ description: "How long half of a captured call waits for the other half" }),
  max_capture_waiting_bytes: byteCount
    .default(1_073_741_824)
    .meta({ description: "Halves of captured calls that may wait; beyond it the answer is 429" }),
  max_queued_bytes: byteCount
    .default(100_663_296)
    .meta({ description: "Records that may wait to be taken in; beyond it the answer is 429" }),
  max_backlog_bytes: byteCount
    .default(50_331_648)
    .meta({ description: "Durable records that may wait for the tables; beyond it the answer is 429" }),
  query_seconds: z.number().positive().max(3_600).default(300).meta({
    description: "Longest that one SQL query may take; 30 s, or this when less, when it asks for nothing",
  }),
  query_rows: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(1_000_000)
    .meta({ description: "Most rows of the answer to one SQL query" }),
  query_bytes: byteCount.default(64_000_000).meta({ description: "Longest answer to one SQL query" }),
  query_memory_share: z
    .number()
    .min(0.05)
    .max(1)
    .default(0.5)
    .meta({ description: "Share of memory_limit that one SQL query may take" }),
  retention_age: retentionAge.optional().meta({
    description:
      "Records and labels older than this are deleted, their profiles stay; all are kept when absent",
  }),
  retention_size: z
    .string()
    .regex(BYTE_AMOUNT, "expected an amount such as 500MB or 20GB")
    .optional()
    .meta({ description: "The oldest days are deleted while the database holds more than this" }),
  redact_key: z
    .string()
    .min(16, "expected at least 16 characters")
    .optional()
    .meta({ description: "Secret that redacted values are hashed with" }),
  models: z
    .record(resourceName, modelSettings)
    .default({})
    .meta({ description: "What is different for one model, by name" }),
  monitors: z
    .array(z.strictObject({ model: resourceName, name: resourceName, ...monitorSpec.shape }))
    .default([])
    .meta({ description: "Monitors to be there" }),
  channels: z
    .record(resourceName, channelSpec)
    .default({})
    .meta({ description: "Where alerts are sent, by name" }),
  alert_rules: z
    .record(resourceName, alertRuleSpec)
    .default({})
    .meta({ description: "When to alert whom, by name" }),
  retrain_policies: z
    .record(resourceName, retrainPolicySpec)
    .default({})
    .meta({ description: "When to ask for retraining, by name" }),
});

/** What is wrong with settings that are right one by one. */
export function conflicts({
  models,
  redact_key,
}: Config): { readonly path: readonly string[]; readonly message: string }[] {
  if (redact_key !== undefined) return [];
  return Object.entries(models).flatMap(([model, { redact = {} }]) =>
    Object.entries(redact)
      .filter(([, way]) => way === "hash")
      .map(([name]) => ({
        path: ["models", model, "redact", name],
        message: "is to be hashed, and there is no redact_key to do it with: set LEEWAY_REDACT_KEY",
      })),
  );
}

export type Config = z.infer<typeof configSchema>;
export type ConfigKey = keyof Config;

export const configKeys = Object.keys(configSchema.shape) as ConfigKey[];

/** Keys whose value is text as it stands; the others are written in YAML when they come from a variable or a flag. */
const TEXT_KEYS: ReadonlySet<ConfigKey> = new Set([
  "host",
  "data_dir",
  "public_url",
  "smtp_url",
  "smtp_from",
  "log_level",
  "memory_limit",
  "capture_wait",
  "retention_age",
  "retention_size",
  "redact_key",
]);

export function isTextKey(key: ConfigKey): boolean {
  return TEXT_KEYS.has(key);
}

/** `data_dir` -> `LEEWAY_DATA_DIR` */
export function variableOf(key: ConfigKey): string {
  return `LEEWAY_${key.toUpperCase()}`;
}

/** The configuration with these settings and defaults for the rest; for programs that start a server themselves. */
export function configOf(settings: z.input<typeof configSchema> = {}): Config {
  return configSchema.parse(settings);
}
