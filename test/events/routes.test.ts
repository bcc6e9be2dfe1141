import type { OpenAPIHono } from "@hono/zod-openapi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApi } from "../../app/http.ts";
import { createLog } from "../../app/log.ts";
import { emit } from "../../events/events.ts";
import { addEventRoutes } from "../../events/routes.ts";
import { type CloudEvent, cloudEvent } from "../../schema/event.ts";
import { Database } from "../../store/database.ts";
import { EventStore } from "../../store/events.ts";
import { testClock } from "./test-clock.ts";

let database: Database;
let api: OpenAPIHono;
const clock = testClock();
beforeEach(async () => {
  database = await Database.open(":memory:");
  api = createApi({ log: createLog({ level: "silent" }), guard: () => undefined });
  addEventRoutes(api, new EventStore(database));
});
afterEach(() => database.close());

async function happen(...subjects: readonly string[]): Promise<void> {
  await database.transaction(async (tx) => {
    for (const subject of subjects)
      await emit(tx, { type: "dev.leeway.drift.detected", subject, data: { rows: 3 } }, clock.now());
  });
}

async function get(query = ""): Promise<{ events: CloudEvent[]; cursor: string }> {
  const response = await api.request(`/v1/events${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as { events: CloudEvent[]; cursor: string };
}

describe("GET /v1/events", () => {
  it("answers CloudEvents in the order in which they were committed", async () => {
    await happen("a", "b");
    const { events } = await get();
    expect(events.map((event) => cloudEvent.parse(event))).toMatchObject([
      {
        specversion: "1.0",
        source: "/leeway",
        type: "dev.leeway.drift.detected",
        subject: "a",
        time: "2026-03-02T08:00:00.000Z",
        data: { rows: 3 },
        sequence: "0000000000000001",
      },
      { subject: "b", sequence: "0000000000000002" },
    ]);
    expect(events[0]?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  it("pages without leaving one out, also when more come in between", async () => {
    await happen("a", "b", "c");
    const first = await get("?limit=2");
    await happen("d");
    const second = await get(`?limit=2&after=${first.cursor}`);
    const third = await get(`?limit=2&after=${second.cursor}`);
    expect([...first.events, ...second.events, ...third.events].map(({ subject }) => subject)).toEqual([
      "a",
      "b",
      "c",
      "d",
    ]);
    expect(third.cursor).toBe(second.cursor);
    await happen("e");
    expect((await get(`?after=${third.cursor}`)).events).toMatchObject([{ subject: "e" }]);
  });

  it("leaves no gap for a transaction that was rolled back", async () => {
    await happen("a");
    await database
      .transaction(async (tx) => {
        await emit(tx, { type: "dev.leeway.drift.detected", subject: "never", data: {} }, clock.now());
        throw new Error("undone");
      })
      .catch(() => undefined);
    await happen("b");
    expect((await get()).events.map(({ sequence }) => Number(sequence))).toEqual([1, 2]);
  });

  it.each(["after=yesterday", "limit=0", "limit=5000"])("refuses %s", async (query) => {
    const response = await api.request(`/v1/events?${query}`, {}, {}); // {}: a request that no listener took in
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "invalid-input" });
  });
});
