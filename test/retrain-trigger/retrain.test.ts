import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Receiver, startReceiver } from "../events/receiver.ts";
import { DAY, HOUR, MINUTE, testClock } from "../events/test-clock.ts";
import { openWorkshop, type Workshop } from "./workshop.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const open: { close(): Promise<void> }[] = [];
let trainer: Receiver;

beforeEach(async () => {
  trainer = await startReceiver(202);
  open.push(trainer);
});
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

async function workshop(options: Parameters<typeof openWorkshop>[0] = {}): Promise<Workshop> {
  const target = { type: "webhook", url: `${trainer.url}/train`, secret: SECRET } as const;
  const opened = await openWorkshop({
    policies: { nightly: { windows: 2, of_last: 3, cooldown: "7d", data_window: "5d", target } },
    // The reference library takes the time from the machine's clock, so the test's begins there too.
    clock: testClock(new Date().toISOString()),
    ...options,
  });
  open.push(opened);
  return opened;
}

/** What the trainer was sent, each checked by the reference library. */
const asked = () =>
  trainer.received.map(({ body, headers }) => {
    new Webhook(SECRET).verify(body, headers as Record<string, string>); // each of these came once
    return JSON.parse(body);
  });
const runsIn = async ({ retrain }: Workshop) => retrain.runs({ limit: 100 });

describe("drift that persists", () => {
  it("asks the trainer, once, with everything that it needs", async () => {
    const shop = await workshop();
    expect(await shop.see("drifted", 1)).toMatchObject([
      { policy: "nightly", action: "none", reason: "not-yet-persistent", run_id: null },
    ]);
    const [decision] = await shop.see("drifted", 2);
    expect(decision).toMatchObject({
      action: "request",
      reason: "drift-persisted",
      detail: "2 of the last 2 windows drifted; the policy asks for 2 of 3",
      window: { from: "2001-04-02T00:00:00.000Z", to: "2001-04-03T00:00:00.000Z" },
    });
    await shop.outbox.deliverDue();
    expect(trainer.received.map(({ path, headers }) => [path, headers["content-type"]])).toEqual([
      ["/train", "application/cloudevents+json"],
    ]);
    const [event] = asked();
    const id = decision?.run_id ?? "";
    expect(event).toEqual({
      specversion: "1.0",
      id: expect.any(String),
      source: "/leeway",
      type: "dev.leeway.retrain.requested",
      subject: `retrain-runs/${id}`,
      time: shop.clock.now().toISOString(),
      datacontenttype: "application/json",
      data: {
        run_id: id,
        model: "flights",
        policy: "nightly",
        reason: "drift-persisted: 2 of the last 2 windows drifted; the policy asks for 2 of 3",
        window: { from: "2001-04-02T00:00:00.000Z", to: "2001-04-03T00:00:00.000Z" },
        data: {
          from: "2001-03-29T00:00:00.000Z",
          to: "2001-04-03T00:00:00.000Z",
          parquet_url:
            "http://leeway.example.org/v1/models/flights/records?from=2001-03-29T00%3A00%3A00.000Z&to=2001-04-03T00%3A00%3A00.000Z&format=parquet",
        },
        drift: {
          monitor: "daily",
          version: "1",
          window: { from: "2001-04-02T00:00:00.000Z", to: "2001-04-03T00:00:00.000Z", rows: 1_200 },
          verdict: "drifted",
          reason: "drifted for a reason",
          drifted: 1,
          checked: 6,
          features: [
            {
              name: "origin",
              type: "categorical",
              verdict: "drifted",
              effect: 0.231,
              p_value: 0.000_042,
              reason: expect.stringContaining("JS distance 0.231"),
              cause: expect.objectContaining({ kind: "shift" }),
            },
          ],
        },
        status_url: `http://leeway.example.org/v1/retrain-runs/${id}/status`,
        status_token: expect.stringMatching(/^lwr_[\w-]{43}$/),
      },
    });
    await shop.see("drifted", 3);
    await shop.outbox.deliverDue();
    expect(trainer.received).toHaveLength(1);
  });

  it("keeps every decision with its reason, and who was asked when it was not", async () => {
    const shop = await workshop();
    const story = ["stable", "drifted", "quality", "too-few", "drifted", "drifted", "stable"] as const;
    for (const [i, verdict] of story.entries()) {
      shop.clock.advance(DAY);
      await shop.see(verdict, i + 1);
    }
    await shop.see("drifted", 3); // a window of the past, checked again
    const { json } = await shop.call("GET", "/v1/retrain-policies/nightly/decisions");
    expect(json.decisions.map(({ reason }: { reason: string }) => reason).toReversed()).toEqual([
      "quiet",
      "not-yet-persistent",
      "data-quality",
      "too-few-says-nothing",
      "drift-persisted",
      "cooling-down",
      "superseded",
      "quiet",
    ]);
    const requested = json.decisions.filter(({ action }: { action: string }) => action === "request");
    expect(requested).toHaveLength(1);
    expect((await runsIn(shop)).map(({ id }) => id)).toEqual([requested[0].run_id]);
    expect((await shop.call("GET", "/v1/retrain-policies/none/decisions")).status).toBe(404);
  });

  it("is asked for again after the cooldown, unless the run is still at work", async () => {
    const shop = await workshop();
    for (const day of [1, 2]) await shop.see("drifted", day);
    const [run] = await runsIn(shop);
    for (const day of [3, 4, 5, 6, 7, 8])
      expect(await shop.see("drifted", day)).toMatchObject([{ reason: "cooling-down" }]);
    expect(await shop.see("drifted", 9)).toMatchObject([
      { reason: "run-in-progress", detail: `run ${run?.id} is requested` },
    ]);
    await shop.retrain.report(run?.id ?? "", { status: "completed", version: "2" });
    expect(await shop.see("drifted", 10)).toMatchObject([{ reason: "drift-persisted" }]);
    expect(await runsIn(shop)).toHaveLength(2);
  });

  it("keeps the version that drifted from being deleted while the trainer is at work, as long as he is heard of", async () => {
    const shop = await workshop();
    const { retrain } = shop;
    await shop.see("drifted", 1);
    expect(await retrain.userOf("flights", "1")).toBeUndefined();
    const [decision] = await shop.see("drifted", 2);
    const id = decision?.run_id ?? "";
    expect(await retrain.userOf("flights", "1")).toBe(`retrain run ${id}, which is requested,`);
    for (const [model, version] of [
      ["flights", "2"],
      ["trains", "1"],
    ] as const)
      expect(await retrain.userOf(model, version)).toBeUndefined();

    shop.clock.advance(5 * DAY);
    await retrain.report(id, { status: "started" });
    shop.clock.advance(7 * DAY);
    expect(await retrain.userOf("flights", "1")).toBe(`retrain run ${id}, which is started,`);
    shop.clock.advance(1);
    expect(await retrain.userOf("flights", "1")).toBeUndefined();

    await retrain.report(id, { status: "started", message: "half of it" });
    expect(await retrain.userOf("flights", "1")).toBe(`retrain run ${id}, which is started,`);
    await retrain.report(id, { status: "completed", version: "2" });
    expect(await retrain.userOf("flights", "1")).toBeUndefined();
  });

  it("leads to one run, though two policies on the model see it", async () => {
    const target = { type: "webhook", url: trainer.url } as const;
    const shop = await workshop({
      policies: { a: { windows: 1, of_last: 1, target }, b: { windows: 1, of_last: 1, target } },
    });
    expect(await shop.see("drifted", 1)).toMatchObject([
      { policy: "a", reason: "drift-persisted" },
      { policy: "b", reason: "cooling-down" },
    ]);
  });
});

describe("a trainer that fails, hangs and comes back", () => {
  it("is asked until it takes the request, with the same id and the same token", async () => {
    const shop = await workshop({ timeoutMs: 200 });
    for (const day of [1, 2]) await shop.see("drifted", day);
    const outcomes: string[] = [];
    for (const behaviour of [500, "hang", "drop", 302, 202] as const) {
      trainer.behave(behaviour);
      outcomes.push(
        ...(await shop.outbox.deliverDue()).map(({ outcome, detail }) => `${outcome}: ${detail}`),
      );
      shop.clock.advance(3 * HOUR);
    }
    expect(outcomes).toEqual([
      `retried: ${trainer.url} answered 500`,
      `retried: ${trainer.url}: no answer in time`,
      `retried: ${trainer.url}: socket hang up`,
      `retried: ${trainer.url} answered 302: redirects are not followed, set the final address`,
      "delivered: delivered",
    ]);
    expect(new Set(trainer.received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(trainer.received.map(({ body }) => body)).size).toBe(1);
    expect(await runsIn(shop)).toMatchObject([
      { status: "requested", delivery: { state: "delivered", attempts: 5, last_error: null } },
    ]);
    expect(await shop.metrics()).toContain(
      'leeway_deliveries_total{subscription="retrain/nightly",outcome="retried"} 4',
    );
  });

  it("that never takes it makes the run a failed one, which says why", async () => {
    const shop = await workshop();
    trainer.behave(503);
    for (const day of [1, 2]) await shop.see("drifted", day);
    for (let attempt = 0; attempt < 10; attempt++) {
      await shop.outbox.deliverDue();
      shop.clock.advance(25 * HOUR);
    }
    expect(trainer.received).toHaveLength(10);
    expect(await runsIn(shop)).toMatchObject([
      {
        status: "failed",
        delivery: { state: "gave-up", attempts: 10 },
        reports: [
          { status: "failed", message: `the trainer could not be asked: ${trainer.url} answered 503` },
        ],
      },
    ]);
    expect((await shop.events()).map(({ type }) => type)).toEqual([
      "dev.leeway.retrain.requested",
      "dev.leeway.retrain.failed",
    ]);
    expect(await shop.metrics()).toContain('leeway_retrain_runs_total{model="flights",outcome="failed"} 1');
    const secrets = await shop.database.all<{ secret: string | null }>("select secret from outbox");
    expect(secrets).toEqual([{ secret: null }]); // the token is of no use any more
  });

  it("that answers 410 is asked no more until its policy is PUT again", async () => {
    const shop = await workshop();
    trainer.behave(410);
    for (const day of [1, 2]) await shop.see("drifted", day);
    await shop.outbox.deliverDue();
    const shown = (await shop.call("GET", "/v1/retrain-policies/nightly")).json;
    expect(shown.health.disabled.why).toBe(`${trainer.url} answered 410 Gone`);
    expect(await runsIn(shop)).toMatchObject([{ status: "failed" }]);
    trainer.behave(202);
    await shop.call("POST", "/v1/retrain-runs", { model: "flights", reason: "again" });
    await shop.outbox.deliverDue();
    expect(trainer.received).toHaveLength(1);
    const put = await shop.call("PUT", "/v1/retrain-policies/nightly", {
      model: "flights",
      monitor: "daily",
      target: { type: "webhook", url: trainer.url, secret: SECRET },
    });
    expect(put.json.health.disabled).toBeNull();
    await shop.call("POST", "/v1/retrain-runs", { model: "flights", reason: "again" });
    await shop.outbox.deliverDue();
    expect(asked().at(-1).data.reason).toBe("again");
  });

  it("that reported before its answer came is not overruled by a lost answer", async () => {
    const shop = await workshop();
    for (const day of [1, 2]) await shop.see("drifted", day);
    trainer.behave("drop");
    await shop.outbox.deliverDue();
    const [{ data }] = asked();
    await shop.call(
      "POST",
      `/v1/retrain-runs/${data.run_id}/status`,
      { status: "started" },
      data.status_token,
    );
    trainer.behave(410);
    shop.clock.advance(MINUTE);
    await shop.outbox.deliverDue();
    expect(await runsIn(shop)).toMatchObject([{ status: "started", delivery: { state: "gave-up" } }]);
  });
});

describe("a restart in between", () => {
  it("asks nobody twice, forgets nothing, and still knows the run's token", async () => {
    const folder = await mkdtemp(join(tmpdir(), "leeway-retrain-"));
    const path = join(folder, "leeway.duckdb");
    const clock = testClock(new Date().toISOString());
    const before = await workshop({ path, clock });
    trainer.behave(503);
    for (const day of [1, 2]) await before.see("drifted", day);
    await before.outbox.deliverDue();
    await before.close();
    open.pop();

    clock.advance(MINUTE);
    trainer.behave(202);
    const after = await workshop({ path, clock });
    await after.outbox.deliverDue();
    await after.outbox.deliverDue();
    const [first, second, ...others] = asked();
    expect(others).toEqual([]);
    expect(second).toEqual(first); // the same request, whose first try had failed
    expect(await after.see("drifted", 3)).toMatchObject([{ reason: "cooling-down" }]);
    const { run_id, status_token } = second.data;
    const report = { status: "completed", version: "2" };
    const answer = await after.call("POST", `/v1/retrain-runs/${run_id}/status`, report, status_token);
    expect(answer).toMatchObject({ status: 200, json: { status: "completed" } });
    await after.close();
    open.pop();
    await rm(folder, { recursive: true });
  });
});
