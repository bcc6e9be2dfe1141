import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { type CloudEvent, cloudEvent } from "../schema/event.ts";
import { type EventStore, type StoredEvent, sequenceText } from "../store/events.ts";
import { EVENT_SOURCE } from "./events.ts";

const listEvents = createRoute({
  method: "get",
  path: "/v1/events",
  summary: "Life-cycle events in the order in which they were committed, oldest first",
  description:
    "Ask again with `after` set to the answer's `cursor`: no event is left out and none comes twice, also when more are committed in between.",
  tags: ["Events"],
  request: {
    query: z.object({
      after: z
        .string()
        .regex(/^\d{1,16}$/, "expected the cursor of an earlier answer, or the sequence of an event")
        .optional()
        .meta({
          description:
            "Cursor of an earlier answer, or the `sequence` of an event; the beginning when absent",
        }),
      limit: z.coerce.number().int().min(1).max(1_000).default(100),
    }),
  },
  responses: {
    200: {
      description: "The events, and where to go on",
      content: {
        "application/json": { schema: z.object({ events: z.array(cloudEvent), cursor: z.string() }) },
      },
    },
  },
});

export function addEventRoutes(api: OpenAPIHono, events: Pick<EventStore, "after">): void {
  api.openapi(listEvents, async (c) => {
    const { after, limit } = c.req.valid("query");
    const stored = await events.after(Number(after ?? 0), limit);
    const cursor = sequenceText(stored.at(-1)?.sequence ?? Number(after ?? 0));
    return c.json({ events: stored.map(shown), cursor }, 200);
  });
}

function shown(event: StoredEvent): CloudEvent {
  return {
    specversion: "1.0",
    id: event.id,
    source: EVENT_SOURCE,
    type: event.type,
    subject: event.subject,
    time: event.time.toISOString(),
    datacontenttype: "application/json",
    data: JSON.parse(event.data) as Record<string, unknown>, // written by emit()
    sequence: sequenceText(event.sequence),
  };
}
