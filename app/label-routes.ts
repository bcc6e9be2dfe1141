import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { durationMs, durationText } from "../schema/duration.ts";
import { ServiceError } from "../schema/errors.ts";
import { resourceName } from "../schema/names.ts";
import { timeText } from "../schema/record.ts";
import type { Database } from "../store/database.ts";
import type { HourCounts } from "../store/hour-counts.ts";
import { labelHistory } from "../store/labels.ts";
import { modelNamed } from "../store/models.ts";
import {
  isWholeHours,
  labelCompleteness,
  type WindowCompleteness,
  windowCount,
} from "./label-completeness.ts";

const MOST_WINDOWS = 10_000;
const DEFAULT_WINDOWS = 30;

const params = z.object({ model: resourceName });
const counts = z.object({
  from: z.string(),
  to: z.string(),
  records: z
    .int()
    .meta({ description: "Records that were stored, also those that retention has deleted since" }),
  labelled: z.int().meta({ description: "Those whose ground truth has arrived" }),
  share: z.number().nullable().meta({
    description: "Of the records, each with its weight where only a sample was stored; null without records",
  }),
});
const completenessAnswer = counts
  .extend({ model: z.string(), window: z.string(), windows: z.array(counts) })
  .meta({ id: "LabelCompleteness" });

const getCompleteness = createRoute({
  method: "get",
  path: "/v1/models/{model}/labels/completeness",
  tags: ["collect"],
  summary: "How much ground truth has arrived, window by window",
  request: {
    params,
    query: z.object({
      from: timeText
        .optional()
        .meta({ description: `Start; ${DEFAULT_WINDOWS} windows before the end when absent` }),
      to: timeText.optional().meta({ description: "End, not in it; now when absent" }),
      window: durationText.default("1d").meta({ description: "Length of each window, in whole hours" }),
    }),
  },
  responses: {
    200: {
      description: "Windows of event time, oldest first; those at either end are whole",
      content: { "application/json": { schema: completenessAnswer } },
    },
    404: { description: "Nothing was collected for this model" },
  },
});

const historyAnswer = z
  .object({
    model: z.string(),
    id: z.string(),
    row: z.int(),
    labels: z.array(
      z.object({
        label: z.union([z.string(), z.number(), z.boolean()]),
        time: z.string().meta({ description: "When the truth became known" }),
        received_at: z.string(),
      }),
    ),
  })
  .meta({ id: "LabelHistory" });

const getHistory = createRoute({
  method: "get",
  path: "/v1/models/{model}/labels",
  tags: ["collect"],
  summary: "Everything that was said of one record, newest first: the newest counts",
  request: {
    params,
    query: z.object({
      id: z.string().min(1).max(512).meta({ description: "Id of the record" }),
      row: z.coerce.number().int().min(0).default(0),
    }),
  },
  responses: {
    200: { description: "Labels, newest first", content: { "application/json": { schema: historyAnswer } } },
    404: { description: "Nothing was collected for this model" },
  },
});

export interface LabelParts {
  readonly database: Database;
  readonly hourCounts: HourCounts;
  readonly flush: () => Promise<void>;
  readonly now: () => Date;
}

/** What is known of ground truth: how complete it is, and how it came about. */
export function addLabelRoutes(api: OpenAPIHono, { database, hourCounts, flush, now }: LabelParts): void {
  api.openapi(getCompleteness, async (c) => {
    const { model } = c.req.valid("param");
    const query = c.req.valid("query");
    const windowMs = durationMs(query.window);
    if (!isWholeHours(windowMs)) {
      throw new ServiceError(
        "invalid-input",
        `window ${query.window}: expected whole hours, such as 1h, 6h or 1d`,
      );
    }
    const to = query.to === undefined ? now() : new Date(query.to);
    const from =
      query.from === undefined
        ? new Date(to.getTime() - (DEFAULT_WINDOWS - 1) * windowMs)
        : new Date(query.from);
    if (from >= to) throw new ServiceError("invalid-input", "from has to be before to");
    if (windowCount({ from, to }, windowMs) > MOST_WINDOWS) {
      throw new ServiceError(
        "invalid-input",
        `these are more than ${MOST_WINDOWS} windows: ask for a shorter time or longer windows`,
      );
    }
    await flush();
    await requireModel(database, model);
    const { windows, all } = await labelCompleteness(hourCounts, model, { from, to, windowMs });
    return c.json({ model, window: query.window, ...shown(all), windows: windows.map(shown) }, 200);
  });

  api.openapi(getHistory, async (c) => {
    const { model } = c.req.valid("param");
    const { id, row } = c.req.valid("query");
    await flush();
    const labels = await labelHistory(database, { model, id, row });
    if (!labels) throw nothingCollected(model);
    return c.json(
      {
        model,
        id,
        row,
        labels: labels.map(({ label, time, receivedAt }) => ({
          label,
          time: time.toISOString(),
          received_at: receivedAt.toISOString(),
        })),
      },
      200,
    );
  });
}

function shown({ from, to, records, labelled, share }: WindowCompleteness) {
  return { from: from.toISOString(), to: to.toISOString(), records, labelled, share };
}

async function requireModel(database: Database, model: string): Promise<void> {
  if (!(await modelNamed(database, model))) throw nothingCollected(model);
}

function nothingCollected(model: string): ServiceError {
  return new ServiceError("not-found", `no records or labels were collected for model "${model}"`);
}
