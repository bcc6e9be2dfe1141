import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CloudEvent } from "../../schema/event.ts";
import { type Receiver, startReceiver } from "../events/receiver.ts";
import { DAY, HOUR, MINUTE, SECOND, testClock } from "../events/test-clock.ts";
import { type Mailbox, startMailbox } from "./mailbox.ts";
import { startWatch, type Watch } from "./watch.ts";
import { windowResult } from "./window-result.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const open: { close(): Promise<void> }[] = [];
let mailbox: Mailbox;
let receiver: Receiver;

beforeEach(async () => {
  mailbox = await startMailbox();
  receiver = await startReceiver();
  open.push(mailbox, receiver);
});
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

async function watch(options: Parameters<typeof startWatch>[0] = {}): Promise<Watch> {
  const started = await startWatch({
    channels: {
      mail: { type: "email", to: ["ann@example.org"] },
      hook: { type: "webhook", url: `${receiver.url}/hook`, secret: SECRET },
    },
    rules: { drift: { channels: ["mail", "hook"], remind_every: "1d" } },
    email: { smtpUrl: mailbox.url },
    ...options,
  });
  open.push(started);
  return started;
}

const subjects = () => mailbox.mails.map(({ subject }) => subject);
const told = () => receiver.received.map(({ body }) => JSON.parse(body) as CloudEvent);

describe("an alert, from its first window to its last", () => {
  it("fires, reminds, resolves, and is over", async () => {
    const { see, deliver, clock, alerts } = await watch();
    expect(await see(windowResult("stable", { day: 1 }))).toMatchObject([
      { action: "none", reason: "quiet", alert: null },
    ]);
    expect(await see(windowResult("drifted", { day: 2 }))).toMatchObject([
      { action: "fire", reason: "first" },
    ]);
    await deliver();
    clock.advance(12 * HOUR);
    expect(await see(windowResult("drifted", { day: 3 }))).toMatchObject([{ reason: "still-firing" }]);
    clock.advance(12 * HOUR);
    expect(await see(windowResult("drifted", { day: 4 }))).toMatchObject([
      { action: "remind", reason: "reminder-due" },
    ]);
    await deliver();
    expect(await see(windowResult("stable", { day: 5 }))).toMatchObject([
      { action: "resolve", reason: "resolved" },
    ]);
    await deliver();
    expect(await see(windowResult("stable", { day: 6 }))).toMatchObject([{ reason: "quiet", alert: null }]);
    await deliver(DAY);
    expect(subjects()).toEqual([
      "[leeway] flights: 1 feature drifted in 2001-04-02 (daily)",
      "[leeway] reminder: flights: 1 feature drifted in 2001-04-04 (daily)",
      "[leeway] resolved: flights: 1 feature drifted, over in 2001-04-05 (daily)",
    ]);
    const [first, ...later] = mailbox.mails;
    for (const mail of later) expect(mail.inReplyTo).toBe(first?.messageId);
    expect(await alerts.list({ limit: 10 })).toMatchObject([
      {
        rule: "drift",
        model: "flights",
        monitor: "daily",
        state: "resolved",
        since: "2001-04-02T00:00:00.000Z",
        last_window_to: "2001-04-06T00:00:00.000Z",
        features: ["origin"],
      },
    ]);
  });

  it("reaches a webhook as signed CloudEvents that the reference library accepts", async () => {
    const { see, deliver, events } = await watch();
    await see(windowResult("drifted", { day: 1 }));
    await deliver();
    await see(windowResult("stable", { day: 2 }));
    await deliver();
    expect(receiver.received.map(({ headers }) => headers["content-type"])).toEqual([
      "application/cloudevents+json",
      "application/cloudevents+json",
    ]);
    for (const { body, headers } of receiver.received) {
      const now = Number(headers["webhook-timestamp"]) * 1_000;
      expect(now).toBe(
        testClock().now().getTime() + 10_000 * (receiver.received.findIndex((r) => r.body === body) + 1),
      );
      expect(verify(body, headers)).toBe("accepted");
    }
    const fed = await events();
    expect(fed.map(({ type }) => type)).toEqual(["dev.leeway.alert.fired", "dev.leeway.alert.resolved"]);
    expect(told().map(({ type, data }) => ({ type, data }))).toEqual(fed);
    expect(told()[0]).toMatchObject({
      specversion: "1.0",
      source: "/leeway",
      data: {
        reason: "first",
        rule: "drift",
        model: "flights",
        monitor: "daily",
        severity: "warning",
        since: "2001-04-01T00:00:00.000Z",
        window: { from: "2001-04-01T00:00:00.000Z", to: "2001-04-02T00:00:00.000Z", verdict: "drifted" },
        features: [{ name: "origin", verdict: "drifted", effect: 0.231 }],
      },
    });
  });

  it("once acknowledged, reminds nobody, and still says when it is over", async () => {
    const { see, deliver, clock, alerts } = await watch();
    const [decision] = await see(windowResult("drifted", { day: 1 }));
    await deliver();
    const acknowledged = await alerts.acknowledge(decision?.alert ?? "", {
      by: "Ann",
      why: "the feed was changed",
    });
    expect(acknowledged).toMatchObject({ state: "acknowledged", acknowledged_by: "Ann" });
    clock.advance(9 * DAY);
    expect(await see(windowResult("drifted", { day: 2 }))).toMatchObject([
      { action: "none", reason: "acknowledged" },
    ]);
    await see(windowResult("stable", { day: 3 }));
    await deliver();
    expect(subjects().map((subject) => subject?.slice(0, 20))).toEqual([
      "[leeway] flights: 1 ",
      "[leeway] resolved: f",
    ]);
    await expect(alerts.acknowledge(decision?.alert ?? "", { by: "Ann", why: "late" })).rejects.toThrow(
      /resolved at .*: there is nothing left to acknowledge/,
    );
    await expect(alerts.acknowledge("nothing", { by: "Ann", why: "?" })).rejects.toThrow(
      'there is no alert "nothing"',
    );
  });

  it("names the monitor's owner, unless the rule names one", async () => {
    const { see, database, alerts } = await watch({
      rules: { a: {}, b: { owner: "ml@example.org" } },
    });
    await database.transaction((tx) =>
      tx.run(
        `insert into monitors values ('flights', 'daily', '{"owner": "ann@example.org"}', now(), now(), null)`,
      ),
    );
    await see(windowResult("drifted"));
    const owners = (await alerts.list({ limit: 10 })).map(({ rule, owner }) => `${rule}: ${owner}`);
    expect(owners.toSorted()).toEqual(["a: ann@example.org", "b: ml@example.org"]);
  });

  it("counts since the first bad window, over those that say nothing", async () => {
    const { see, alerts } = await watch({ rules: { drift: { windows: 2, of_last: 3 } } });
    for (const [i, verdict] of (["stable", "drifted", "too-few", "quality", "drifted"] as const).entries())
      await see(windowResult(verdict, { day: i + 1 }));
    expect(await alerts.list({ limit: 1 })).toMatchObject([{ since: "2001-04-02T00:00:00.000Z" }]);
  });
});

describe("a catch-up over windows missed", () => {
  const VERDICTS = [
    "drifted",
    "drifted",
    "stable",
    "drifted",
    "stable",
    "stable",
    "drifted",
    "quality",
    "drifted",
    "drifted",
  ] as const;

  it("ends in one mail, about the newest state", async () => {
    const { see, outbox, clock, deliver } = await watch();
    for (const [i, verdict] of VERDICTS.entries()) {
      await see(windowResult(verdict, { day: i + 1 }));
      clock.advance(2 * SECOND); // a check takes its time, and the delivery does not wait for it
      await outbox.deliverDue();
    }
    await deliver();
    await deliver(HOUR);
    expect(subjects()).toEqual(["[leeway] flights: 1 feature drifted in 2001-04-10 (daily)"]);
    expect(told()).toHaveLength(1);
    expect(told()[0]?.data).toMatchObject({
      since: "2001-04-07T00:00:00.000Z",
      window: { to: "2001-04-11T00:00:00.000Z" },
    });
  });

  it("that ends well says so, once", async () => {
    const { see, deliver } = await watch();
    for (const [i, verdict] of [...VERDICTS, "stable" as const].entries())
      await see(windowResult(verdict, { day: i + 1 }));
    await deliver();
    expect(subjects()).toEqual(["[leeway] resolved: flights: 1 feature drifted, over in 2001-04-11 (daily)"]);
  });

  it("of the past, after newer windows were checked, changes nothing", async () => {
    const { see, deliver } = await watch();
    await see(windowResult("stable", { day: 20 }));
    expect(await see(windowResult("drifted", { day: 3 }))).toMatchObject([
      { action: "none", reason: "superseded" },
    ]);
    await deliver();
    expect(mailbox.mails).toEqual([]);
  });

  it("does not tell twice of a window that is checked again", async () => {
    const { see, deliver } = await watch();
    await see(windowResult("drifted", { day: 1 }));
    await deliver();
    expect(await see(windowResult("drifted", { day: 1 }))).toMatchObject([{ reason: "still-firing" }]);
    await deliver();
    expect(mailbox.mails).toHaveLength(1);
    expect(await see(windowResult("stable", { day: 1 }))).toMatchObject([{ action: "resolve" }]); // late records changed its verdict
  });
});

describe("rules", () => {
  it("look at the models and monitors that their patterns name", async () => {
    const { see } = await watch({
      rules: {
        all: {},
        flights: { model: "flights" },
        "fl-daily": { model: "fl*", monitor: "*ly" },
        other: { model: "churn" },
        dot: { model: "fl.ghts" },
      },
    });
    const decisions = await see(windowResult("drifted"));
    expect(decisions.map(({ rule }) => rule)).toEqual(["all", "fl-daily", "flights"]);
  });

  it("tell of a data fault and of drift apart", async () => {
    const { see } = await watch({ rules: { drift: {}, quality: { on: "quality" } } });
    expect(await see(windowResult("quality", { day: 1 }))).toMatchObject([
      { rule: "drift", action: "none", reason: "quality-says-nothing" },
      { rule: "quality", action: "fire" },
    ]);
    expect(await see(windowResult("drifted", { day: 2 }))).toMatchObject([
      { rule: "drift", action: "fire" },
      { rule: "quality", action: "resolve" },
    ]);
  });

  it("that are disabled or deleted end their alerts, and withdraw what was not sent", async () => {
    const { see, alerts, deliver, events } = await watch({
      rules: { a: { channels: ["mail"] }, b: { channels: ["hook"] } },
    });
    await see(windowResult("drifted"));
    const { spec } = await alerts.rule("a");
    await alerts.putRule("a", { ...spec, enabled: false });
    await alerts.removeRule("b");
    await deliver();
    expect(mailbox.mails).toEqual([]);
    expect(receiver.received).toEqual([]);
    expect((await alerts.list({ limit: 9 })).map(({ state }) => state)).toEqual(["resolved", "resolved"]);
    expect((await events()).slice(2).map(({ data }) => data.reason)).toEqual([
      "the rule was disabled",
      "the rule was deleted",
    ]);
  });

  it("that name no such channel are refused, with those there are", async () => {
    const { alerts } = await watch();
    const { spec } = await alerts.rule("drift");
    await expect(alerts.putRule("drift", { ...spec, channels: ["pager"] })).rejects.toThrow(
      'alert rule "drift" names the channel "pager", which is not there: there are hook, mail',
    );
  });

  it("keep a channel from being deleted", async () => {
    const { alerts } = await watch();
    await expect(alerts.removeChannel("mail")).rejects.toThrow('channel "mail" is named by drift');
    await alerts.removeRule("drift");
    await alerts.removeChannel("mail");
    expect(await alerts.channels.names()).toEqual(["hook"]);
  });

  it("show how many alerts fire, by severity", async () => {
    const { see, alerts, metrics } = await watch({ rules: { a: { severity: "critical" }, b: {} } });
    const [decision] = await see(windowResult("drifted"));
    await alerts.showFiring();
    expect(await metrics()).toContain('leeway_alerts_firing{severity="critical"} 1');
    await alerts.acknowledge(decision?.alert ?? "", { by: "Ann", why: "seen" });
    const text = await metrics();
    expect(text).toContain('leeway_alerts_firing{severity="critical"} 0');
    expect(text).toContain('leeway_alerts_firing{severity="warning"} 1');
  });

  it("end their alerts on a monitor that is deleted", async () => {
    const { see, alerts } = await watch();
    await see(windowResult("drifted"));
    await alerts.endForMonitor("flights", "daily");
    expect(await alerts.list({ limit: 9 })).toMatchObject([{ state: "resolved" }]);
  });
});

describe("channels", () => {
  it("that fail for a while get the newest state when they are back", async () => {
    const { see, deliver, clock } = await watch();
    mailbox.refuseWith({ code: 451, message: "greylisted" });
    await see(windowResult("drifted", { day: 1 }));
    await deliver();
    await deliver(MINUTE);
    clock.advance(HOUR);
    await see(windowResult("drifted", { day: 2 }));
    mailbox.refuseWith(undefined);
    await deliver();
    await deliver(DAY);
    expect(subjects()).toEqual(["[leeway] flights: 1 feature drifted in 2001-04-02 (daily)"]);
    expect(told()).toHaveLength(1); // the other channel had it long before
  });

  it("that answer 410 are disabled, say so, and work again once they are PUT again", async () => {
    const { see, deliver, alerts } = await watch({ rules: { drift: { channels: ["hook"] } } });
    receiver.behave(410);
    await see(windowResult("drifted", { day: 1 }));
    await deliver();
    expect((await alerts.channels.show("hook")).health).toEqual({
      disabled: { at: "2026-03-02T08:00:10.000Z", why: `${receiver.url} answered 410 Gone` },
      waiting: 0,
      gave_up: 1,
      last_delivered_at: null,
      last_error: `${receiver.url} answered 410 Gone`,
    });
    receiver.behave(204);
    await see(windowResult("stable", { day: 2 }));
    await deliver();
    expect(receiver.received).toHaveLength(1); // nothing more is sent there
    expect((await alerts.channels.show("hook")).health.last_error).toMatch(
      /PUT \/v1\/channels\/hook enables it again/,
    );
    await alerts.channels.put("hook", { type: "webhook", url: receiver.url });
    expect((await alerts.channels.show("hook")).health.disabled).toBeNull();
    await see(windowResult("drifted", { day: 3 }));
    await deliver();
    expect(receiver.received).toHaveLength(2);
  });

  it("count what became of notifications", async () => {
    const { see, deliver, metrics } = await watch();
    receiver.behave(500);
    await see(windowResult("drifted"));
    await deliver();
    const text = await metrics();
    expect(text).toContain('leeway_notifications_total{channel="mail",outcome="delivered"} 1');
    expect(text).toContain('leeway_notifications_total{channel="hook",outcome="retried"} 1');
  });

  it("are tested at once", async () => {
    const { alerts } = await watch();
    expect(await alerts.channels.test("mail")).toBe("delivered");
    expect(await alerts.channels.test("hook")).toBe("delivered");
    expect(subjects()).toEqual(["[leeway] test of channel mail"]);
    expect(told()).toMatchObject([{ type: "dev.leeway.channel.tested", data: { channel: "hook" } }]);
    receiver.behave(500);
    await expect(alerts.channels.test("hook")).rejects.toMatchObject({
      code: "upstream-failed",
      message: `channel "hook" did not take the test: ${receiver.url} answered 500`,
    });
  });

  it("for e-mail need a mail server", async () => {
    const { alerts } = await watch({ channels: {}, rules: {}, email: undefined });
    await expect(alerts.channels.put("mail", { type: "email", to: ["ann@example.org"] })).rejects.toThrow(
      'channel "mail" sends e-mail: no mail server is configured, set smtp_url in leeway.yaml or LEEWAY_SMTP_URL',
    );
  });

  it("may not point to private addresses where those are refused", async () => {
    const { alerts } = await watch({ channels: {}, rules: {}, privateAddresses: "refuse" });
    await expect(alerts.channels.put("hook", { type: "webhook", url: "http://10.0.0.1/x" })).rejects.toThrow(
      'channel "hook": 10.0.0.1 is a private address, and messages to such addresses are refused',
    );
    await alerts.channels.put("hook", { type: "webhook", url: "http://localhost:9/x" }); // what a name means is seen when it is used
    await expect(alerts.channels.test("hook")).rejects.toThrow(
      /refused: (127\.0\.0\.1|::1) is a private address/,
    );
  });
});

describe("a restart in the middle", () => {
  it("loses nothing and says nothing twice", async () => {
    const folder = await mkdtemp(join(tmpdir(), "leeway-alerts-"));
    const path = join(folder, "leeway.duckdb");
    const before = await watch({ path });
    await before.see(windowResult("drifted", { day: 1 }));
    await before.outbox.close();
    await before.database.close();
    open.pop();

    const clock = testClock();
    clock.advance(MINUTE);
    const after = await watch({ path, clock });
    await after.deliver();
    expect(await after.see(windowResult("drifted", { day: 2 }))).toMatchObject([{ reason: "still-firing" }]);
    await after.deliver();
    expect(subjects()).toEqual(["[leeway] flights: 1 feature drifted in 2001-04-01 (daily)"]);
    await after.close();
    open.pop();
    await rm(folder, { recursive: true });
  });
});

/** What the reference library says of a message at the time it was sent. */
function verify(body: string, headers: Receiver["received"][number]["headers"]): string {
  vi.useFakeTimers({ toFake: ["Date"], now: Number(headers["webhook-timestamp"]) * 1_000 });
  try {
    new Webhook(SECRET).verify(body, headers as Record<string, string>); // each of these came once
    return "accepted";
  } catch (error) {
    return String(error);
  } finally {
    vi.useRealTimers();
  }
}
