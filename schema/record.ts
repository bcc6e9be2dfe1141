import { z } from "zod";
import { featureName, resourceName } from "./names.ts";

/** RFC 3339 with an offset, as `2026-11-21T10:00:00Z`. */
export const timeText = z.iso.datetime({ offset: true });

/** What a feature or an output may hold. Anything nested is kept as JSON. */
const value = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.null(),
  z.array(z.unknown()),
  z.record(z.string(), z.unknown()),
]);

/** Identifiers are strings chosen by the client; whole numbers are taken and kept as their text. */
const recordId = z
  .union([z.string().min(1).max(512), z.int()])
  .meta({ description: "Chosen by the client; a UUIDv7 is given when absent" });

/** One scored instance: what the model was asked and what it answered. */
export const scoringRecord = z
  .strictObject({
    id: recordId.optional(),
    row: z
      .int()
      .min(0)
      .max(2_147_483_647)
      .default(0)
      .meta({ description: "Position within the scored batch of this id" }),
    time: timeText.optional().meta({ description: "Event time; the time of receipt when absent" }),
    version: resourceName.optional(),
    deployment: resourceName.optional(),
    inputs: z.record(featureName, value),
    outputs: z.record(featureName, value).default({}),
    status: z.int().min(0).max(999).optional(),
    latency_ms: z.number().min(0).optional(),
    weight: z.number().min(1).max(1_000_000).optional().meta({
      description: "How many records it stands for, where the sender keeps only a sample; 1 when absent",
    }),
  })
  .meta({ id: "ScoringRecord" });

/** Ground truth for one scored instance. */
export const labelRecord = z
  .strictObject({
    id: recordId,
    row: z.int().min(0).max(2_147_483_647).default(0),
    label: z.union([z.string(), z.number(), z.boolean()]),
    time: timeText
      .optional()
      .meta({ description: "When the truth became known; the time of receipt when absent" }),
  })
  .meta({ id: "LabelRecord" });

export type LabelRecord = z.infer<typeof labelRecord>;

/** What became of a batch. `received = stored + duplicates + rejected + sampled_out`. */
export const ingestAnswer = z
  .object({
    received: z.int(),
    stored: z.int(),
    duplicates: z.int(),
    rejected: z.int(),
    sampled_out: z
      .int()
      .optional()
      .meta({ description: "Not in the sample that is kept of this model; absent when there are none" }),
    errors: z.array(z.object({ index: z.int(), path: z.string(), message: z.string() })),
  })
  .meta({ id: "IngestAnswer" });

export type IngestAnswer = z.infer<typeof ingestAnswer>;

/** What became of captured calls: `received` counts the records and labels they became. */
export const captureAnswer = ingestAnswer
  .extend({
    events: z.int().meta({ description: "Events, lines or messages that came" }),
    waiting: z.int().meta({ description: "Halves of calls that are kept until the other half comes" }),
    repeated: z.int().meta({ description: "Halves of calls that had come before" }),
    ignored: z.int().meta({ description: "Events of a kind that is not collected" }),
    notes: z
      .array(z.object({ index: z.int(), note: z.string() }))
      .meta({ description: "What was left out of a record, and why" }),
  })
  .meta({ id: "CaptureAnswer" });

export type CaptureAnswer = z.infer<typeof captureAnswer>;
