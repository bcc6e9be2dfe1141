import { z } from "zod";
import { columnType } from "./drift-result.ts";
import { durationText } from "./duration.ts";
import { featureName, resourceName } from "./names.ts";

/** `0.01` (probability per window) or `1/30d` (that many per time). */
export const falseAlarmsText = z
  .union([z.number(), z.string()])
  .transform(String)
  .refine((text) => {
    const perTime = /^(\d+(?:\.\d+)?)\/(\d+(?:\.\d+)?(?:h|d|w))$/.exec(text);
    return perTime ? Number(perTime[1]) > 0 : Number(text) > 0 && Number(text) < 1;
  }, "expected a probability such as 0.01, or a count per time such as 1/30d");

/** What to watch of a model, how often, and how many false alarms are bearable. */
export const monitorSpec = z
  .strictObject({
    version: resourceName
      .optional()
      .meta({ description: "Whose baseline to compare with; the newest one when absent" }),
    window: durationText.default("1d"),
    grace: durationText
      .default("15m")
      .meta({ description: "How long after a window's end late records are waited for" }),
    columns: z
      .array(featureName)
      .min(1)
      .optional()
      .meta({ description: "Columns of the baseline to watch; all when absent" }),
    types: z.record(featureName, columnType).optional(),
    false_alarms: falseAlarmsText.default("0.01"),
    minimum_effect: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .meta({ description: "Jensen-Shannon distance (or KS) below which nothing is called drift" }),
    minimum_rows: z.int().min(2).default(30),
    start: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: "First window; the first record's window when absent" }),
    owner: z.string().max(320).optional(),
    enabled: z.boolean().default(true),
  })
  .meta({ id: "MonitorSpec" });

export type MonitorSpec = z.infer<typeof monitorSpec>;
