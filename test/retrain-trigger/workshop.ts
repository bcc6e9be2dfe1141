import type { OpenAPIHono } from "@hono/zod-openapi";
import { createApi } from "../../app/http.ts";
import { createLog } from "../../app/log.ts";
import { createMetrics } from "../../app/metrics.ts";
import { Outbox } from "../../events/outbox.ts";
import { Retrain } from "../../retrain-trigger/retrain.ts";
import { addRetrainRoutes } from "../../retrain-trigger/routes.ts";
import type { Verdict } from "../../schema/drift-result.ts";
import type { CloudEvent } from "../../schema/event.ts";
import { type RetrainDecision, type RetrainPolicySpec, retrainPolicySpec } from "../../schema/retrain.ts";
import { Database } from "../../store/database.ts";
import { EventStore } from "../../store/events.ts";
import { ResultStore } from "../../store/results.ts";
import { windowResult } from "../alerts/window-result.ts";
import { type TestClock, testClock } from "../events/test-clock.ts";

/** Everything that asks for retraining, over a real database: what the monitor does with a window, without the statistics. */
export interface Workshop {
  readonly database: Database;
  readonly retrain: Retrain;
  readonly outbox: Outbox;
  readonly clock: TestClock;
  readonly api: OpenAPIHono;
  /** Everything that was logged. */
  logged(): string;
  /** Stores a daily window, day 1 being 2001-04-01, and lets the policies decide, as the monitor does. */
  see(verdict: Verdict, day: number): Promise<readonly RetrainDecision[]>;
  events(): Promise<readonly CloudEvent[]>;
  metrics(): Promise<string>;
  call(method: string, path: string, body?: unknown, token?: string): Promise<Answer>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server said; the test looks into it
  readonly json: any;
}

export async function openWorkshop({
  policies = {},
  path = ":memory:",
  clock = testClock(),
  timeoutMs = 5_000,
  privateAddresses = "allow",
}: {
  readonly policies?: Readonly<
    Record<string, Partial<RetrainPolicySpec> & Pick<RetrainPolicySpec, "target">>
  >;
  readonly path?: string;
  readonly clock?: TestClock;
  readonly timeoutMs?: number;
  readonly privateAddresses?: "allow" | "refuse";
} = {}): Promise<Workshop> {
  const database = await Database.open(path);
  const outbox = new Outbox({ database, now: clock.now, random: () => 0, timeoutMs });
  const metrics = createMetrics({ version: "test" });
  const results = new ResultStore(database);
  const retrain = new Retrain({
    database,
    outbox,
    metrics,
    privateAddresses,
    publicUrl: () => "http://leeway.example.org",
    now: clock.now,
  });
  let logged = "";
  const write = (line: string) => {
    logged += line;
  };
  const api = createApi({
    log: createLog({ level: "trace", to: { write } }),
    guard: () => undefined,
  });
  addRetrainRoutes(api, retrain);
  for (const [name, spec] of Object.entries(policies))
    await retrain.putPolicy(name, retrainPolicySpec.parse({ model: "flights", monitor: "daily", ...spec }));
  return {
    database,
    retrain,
    outbox,
    clock,
    api,
    logged: () => logged,
    see: (verdict, day) =>
      database.transaction(async (tx) => {
        const result = windowResult(verdict, { day });
        await results.save(tx, result);
        const history = await results.recent(tx, { ...result, limit: 100 });
        return retrain.onWindow(tx, result, history);
      }),
    events: async () =>
      (await new EventStore(database).after(0, 1_000)).map(
        (event) => ({ ...event, data: JSON.parse(event.data) }) as unknown as CloudEvent,
      ),
    metrics: async () => (await metrics.read()).text,
    call: async (method, url, body, token) => {
      const headers = {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      };
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const response = await api.request(url, init, {}); // {}: a request that no listener took in
      const text = await response.text();
      return { status: response.status, text, json: text === "" ? undefined : JSON.parse(text) };
    },
    close: async () => {
      await outbox.close();
      await database.close();
    },
  };
}
