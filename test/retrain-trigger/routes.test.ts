import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Receiver, startReceiver } from "../events/receiver.ts";
import { HOUR } from "../events/test-clock.ts";
import { openWorkshop, type Workshop } from "./workshop.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
let trainer: Receiver;
let shop: Workshop;
beforeEach(async () => {
  trainer = await startReceiver(202);
  const target = { type: "webhook", url: `${trainer.url}?key=query-key`, secret: SECRET } as const;
  shop = await openWorkshop({ policies: { nightly: { target } } });
});
afterEach(async () => {
  await shop.close();
  await trainer.close();
});

/** A run asked for by hand, as the trainer knows it. */
async function ask(): Promise<{ readonly id: string; readonly token: string }> {
  await shop.call("POST", "/v1/retrain-runs", { model: "flights", reason: "prices changed" });
  await shop.outbox.deliverDue();
  const { run_id, status_token } = JSON.parse(trainer.received.at(-1)?.body ?? "").data;
  return { id: run_id, token: status_token };
}
const report = (id: string, body: unknown, token?: string) =>
  shop.call("POST", `/v1/retrain-runs/${id}/status`, body, token);

describe("the trainer's reports", () => {
  it("take a run from requested over started to completed, and are kept", async () => {
    const { id, token } = await ask();
    expect((await shop.call("GET", `/v1/retrain-runs/${id}`)).json.status).toBe("requested");
    expect((await report(id, { status: "started", message: "9000 rows" }, token)).json.status).toBe(
      "started",
    );
    shop.clock.advance(HOUR);
    const done = {
      status: "completed",
      version: "2",
      message: "better",
      metrics: { auc: 0.74 },
      code: { repository: "git@example.org:flights.git", commit: "0ddba11" },
      parameters: { depth: 6 },
    };
    expect(await report(id, done, token)).toMatchObject({ status: 200, json: { status: "completed" } });
    expect((await shop.call("GET", `/v1/retrain-runs/${id}`)).json).toMatchObject({
      status: "completed",
      requested_at: "2026-03-02T08:00:00.000Z",
      updated_at: "2026-03-02T09:00:00.000Z",
      reports: [
        { status: "started", message: "9000 rows", at: "2026-03-02T08:00:00.000Z" },
        { ...done, at: "2026-03-02T09:00:00.000Z" },
      ],
    });
    expect((await shop.events()).map(({ type }) => type.slice("dev.leeway.retrain.".length))).toEqual([
      "requested",
      "started",
      "completed",
    ]);
    expect((await shop.events()).at(-1)?.data).toMatchObject({
      run_id: id,
      version: "2",
      metrics: { auc: 0.74 },
    });
  });

  it("of progress are kept and are no news", async () => {
    const { id, token } = await ask();
    for (const message of ["10 %", "50 %", "50 %"]) await report(id, { status: "started", message }, token);
    expect((await shop.call("GET", `/v1/retrain-runs/${id}`)).json.reports).toHaveLength(2); // a repeat is not kept
    expect(await shop.events()).toHaveLength(2);
  });

  it("that it failed says why", async () => {
    const { id, token } = await ask();
    await report(id, { status: "failed", message: "out of memory" }, token);
    expect((await shop.call("GET", `/v1/retrain-runs/${id}`)).json).toMatchObject({
      status: "failed",
      reports: [{ message: "out of memory" }],
    });
    expect(await shop.metrics()).toContain('leeway_retrain_runs_total{model="flights",outcome="failed"} 1');
  });

  it.each([
    { after: ["completed"], next: "started" },
    { after: ["started", "completed"], next: "failed" },
    { after: ["started", "failed"], next: "completed" },
    { after: ["failed"], next: "started" },
  ])("after $after say $next: a conflict that changes nothing", async ({ after, next }) => {
    const { id, token } = await ask();
    for (const status of after) expect((await report(id, { status }, token)).status).toBe(200);
    expect(await report(id, { status: next }, token)).toMatchObject({
      status: 409,
      json: {
        code: "conflict",
        detail: `run ${id} is ${after.at(-1)} since 2026-03-02T08:00:00.000Z: it cannot become ${next}`,
      },
    });
    expect((await shop.call("GET", `/v1/retrain-runs/${id}`)).json.status).toBe(after.at(-1));
    expect(await shop.events()).toHaveLength(1 + after.length);
  });

  it("sent again, because the first answer was lost, are fine", async () => {
    const { id, token } = await ask();
    for (const _ of [1, 2])
      expect(await report(id, { status: "completed", version: "2" }, token)).toMatchObject({ status: 200 });
    expect(await shop.events()).toHaveLength(2);
    expect(await shop.metrics()).toContain(
      'leeway_retrain_runs_total{model="flights",outcome="completed"} 1',
    );
  });
});

describe("a run's token", () => {
  it("is good for its own run only", async () => {
    const one = await ask();
    const other = await ask();
    for (const token of [other.token, "lwr_guessed", `${one.token}x`]) {
      expect(await report(one.id, { status: "completed" }, token)).toMatchObject({
        status: 401,
        json: {
          code: "unauthorized",
          detail: `the token is not that of run ${one.id}: its request carries it as status_token`,
        },
      });
    }
    expect((await report("no-such-run", { status: "started" }, one.token)).status).toBe(404);
    expect((await shop.call("GET", `/v1/retrain-runs/${one.id}`)).json.status).toBe("requested");
    expect((await report(one.id, { status: "started" }, one.token)).status).toBe(200);
  });

  it("is in the request and nowhere else; the target's secrets are nowhere at all", async () => {
    const { id, token } = await ask();
    await report(id, { status: "started" }, token);
    await report(id, { status: "started" }, "lwr_guessed");
    trainer.behave("drop");
    await shop.call("POST", "/v1/retrain-runs", { model: "flights", reason: "again" });
    const reports = await shop.outbox.deliverDue();
    const said = JSON.stringify([
      reports,
      await shop.call("GET", "/v1/retrain-policies/nightly"),
      await shop.call("GET", "/v1/retrain-policies"),
      await shop.call("GET", "/v1/retrain-runs"),
      await shop.call("GET", `/v1/retrain-runs/${id}`),
      await shop.events(),
      await shop.metrics(),
      shop.logged(),
      await shop.database.all("select id, body, last_error from outbox"),
      await shop.database.all("select * from retrain_runs"),
    ]);
    expect(reports).toMatchObject([{ outcome: "retried" }]);
    for (const secret of [token, token.slice(4), SECRET, SECRET.slice(6), "query-key", "lwr_guessed"])
      expect(said).not.toContain(secret);
    for (const { body } of trainer.received) expect(body).not.toMatch(/whsec_|query-key/);
  });
});

describe("a run asked for by hand", () => {
  it("is given the data up to the newest window, keeps its reason, and counts for the cooldown", async () => {
    for (const day of [1, 2]) await shop.see("stable", day);
    const { status, json } = await shop.call("POST", "/v1/retrain-runs", {
      model: "flights",
      reason: "prices changed on Monday",
    });
    expect(status).toBe(201);
    expect(json).toMatchObject({
      model: "flights",
      policy: "nightly",
      status: "requested",
      reason: "prices changed on Monday",
      data: { from: "2001-03-06T00:00:00.000Z", to: "2001-04-03T00:00:00.000Z" },
      drift: null,
      delivery: { state: "waiting", attempts: 0 },
      reports: [],
    });
    for (const day of [3, 4]) await shop.see("drifted", day);
    const { decisions } = (await shop.call("GET", "/v1/retrain-policies/nightly/decisions")).json;
    expect(decisions[0]).toMatchObject({ reason: "cooling-down", detail: expect.stringContaining(json.id) });
  });

  it("may name its data and, where there are several, its policy", async () => {
    const target = { type: "webhook", url: trainer.url } as const;
    await shop.call("PUT", "/v1/retrain-policies/weekly", { model: "flights", monitor: "daily", target });
    const asked = { model: "flights", reason: "r", from: "2001-01-01T00:00:00Z", to: "2001-02-01T00:00:00Z" };
    expect(await shop.call("POST", "/v1/retrain-runs", asked)).toMatchObject({
      status: 400,
      json: { detail: 'model "flights" has several retrain policies: name one of nightly, weekly' },
    });
    expect((await shop.call("POST", "/v1/retrain-runs", { ...asked, policy: "weekly" })).json).toMatchObject({
      policy: "weekly",
      data: { from: "2001-01-01T00:00:00.000Z", to: "2001-02-01T00:00:00.000Z" },
    });
  });

  it.each([
    { body: { model: "flights" }, status: 400, says: "reason" },
    { body: { model: "churn", reason: "r" }, status: 404, says: 'model "churn" has no retrain policy' },
    {
      body: { model: "churn", reason: "r", policy: "nightly" },
      status: 400,
      says: 'is about model "flights"',
    },
    { body: { model: "flights", reason: "r", policy: "none" }, status: 404, says: "none" },
    {
      body: { model: "flights", reason: "r", from: "2001-02-01T00:00:00Z", to: "2001-01-01T00:00:00Z" },
      status: 400,
      says: "from has to be before to",
    },
  ])("is refused with a reason: $body", async ({ body, status, says }) => {
    const answer = await shop.call("POST", "/v1/retrain-runs", body);
    expect(answer.status).toBe(status);
    expect(answer.json.detail).toContain(says);
  });
});

describe("policies over HTTP", () => {
  it("are made, shown without secrets, listed and deleted; their runs stay", async () => {
    const { id } = await ask();
    const { json } = await shop.call("GET", "/v1/retrain-policies");
    expect(json.retrain_policies).toMatchObject([
      {
        name: "nightly",
        spec: {
          windows: 2,
          of_last: 3,
          cooldown: "7d",
          data_window: "28d",
          target: { url: `${trainer.url}/?key=***`, secret: "whsec_***" },
        },
        health: { disabled: null, waiting: 0, gave_up: 0 },
      },
    ]);
    expect((await shop.call("DELETE", "/v1/retrain-policies/nightly")).status).toBe(204);
    expect((await shop.call("GET", "/v1/retrain-policies/nightly")).status).toBe(404);
    expect((await shop.call("GET", `/v1/retrain-runs/${id}`)).status).toBe(200);
  });

  it("that are deleted before the trainer was reached fail their run in plain words", async () => {
    const { json } = await shop.call("POST", "/v1/retrain-runs", { model: "flights", reason: "r" });
    await shop.call("DELETE", "/v1/retrain-policies/nightly");
    await shop.outbox.deliverDue();
    expect((await shop.call("GET", `/v1/retrain-runs/${json.id}`)).json).toMatchObject({
      status: "failed",
      reports: [{ message: 'the trainer could not be asked: retrain policy "nightly" has been deleted' }],
    });
  });

  it.each([
    { change: { windows: 4 }, says: "windows cannot be more than of_last" },
    { change: { cooldown: "a while" }, says: "cooldown expected a duration" },
    { change: { target: { type: "email", to: ["a@example.org"] } }, says: "target" },
    { change: { model: "../etc" }, says: "model" },
  ])("are refused with a reason: $change", async ({ change, says }) => {
    const spec = { model: "flights", monitor: "daily", target: { type: "webhook", url: trainer.url } };
    const answer = await shop.call("PUT", "/v1/retrain-policies/p", { ...spec, ...change });
    expect(answer.status).toBe(400);
    expect(answer.json.detail).toContain(says);
  });

  it("may not point to private addresses where those are refused", async () => {
    const guarded = await openWorkshop({ privateAddresses: "refuse" });
    const answer = await guarded.call("PUT", "/v1/retrain-policies/p", {
      model: "flights",
      monitor: "daily",
      target: { type: "webhook", url: "http://169.254.169.254/latest" },
    });
    await guarded.close();
    expect(answer.status).toBe(400);
    expect(answer.json.detail).toContain("messages to such addresses are refused");
  });

  it("list runs in pages, newest first, by model", async () => {
    const ids = [];
    for (const _ of [1, 2, 3]) ids.push((await ask()).id);
    const first = (await shop.call("GET", "/v1/retrain-runs?limit=2&model=flights")).json;
    const second = (await shop.call("GET", `/v1/retrain-runs?limit=2&cursor=${first.cursor}`)).json;
    expect([...first.runs, ...second.runs].map(({ id }) => id)).toEqual(ids.toReversed());
    expect(second.cursor).toBeNull();
    expect((await shop.call("GET", "/v1/retrain-runs?model=churn")).json.runs).toEqual([]);
  });
});
