import { afterEach, describe, expect, it } from "vitest";
import { freePort } from "../events/receiver.ts";
import { HOUR, MINUTE, SECOND } from "../events/test-clock.ts";
import { type Mailbox, startMailbox } from "./mailbox.ts";
import { startWatch, type Watch } from "./watch.ts";
import { distanceInKilometres, originShifted, windowResult } from "./window-result.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

async function watch(smtpUrl: string): Promise<Watch> {
  const started = await startWatch({
    channels: {
      mail: { type: "email", to: ["ann@example.org", "bob@example.org"], from: "leeway@example.org" },
    },
    rules: {
      drift: { channels: ["mail"], severity: "critical", owner: "Ann" },
      fault: { on: "quality", channels: ["mail"] },
    },
    email: { smtpUrl },
  });
  open.push(started);
  return started;
}

async function mailbox(...options: Parameters<typeof startMailbox>): Promise<Mailbox> {
  const started = await startMailbox(...options);
  open.push(started);
  return started;
}

/** Words of an HTML body as a reader sees them. */
const words = (html = "") =>
  html
    .replace(/<title>.*?<\/title>|<[^>]+>/gs, " ")
    .replace(/&#39;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, "&")
    .replace(/\s+/g, " ");

describe("the mail about drift, as it arrives", () => {
  it.each(["text", "html"] as const)(
    "says in its %s what, which, since when, how bad and where",
    async (kind) => {
      const box = await mailbox();
      const { see, deliver } = await watch(box.url);
      await see(windowResult("drifted", { day: 1 }));
      await deliver();
      const [mail] = box.mails;
      const body = kind === "text" ? (mail?.text ?? "").replace(/\s+/g, " ") : words(mail?.html);
      expect(mail?.recipients).toEqual(["ann@example.org", "bob@example.org"]);
      expect(mail?.subject).toBe("[leeway] flights: 1 feature drifted in 2001-04-01 (daily)");
      for (const said of [
        "flights: 1 feature drifted in 2001-04-01",
        "Drifted for a reason.",
        "origin",
        "Moved by 0.231",
        "2001-04-01",
        "critical",
        "Ann",
        "ATL",
        "46.3 %",
        "25.0 %",
        "To acknowledge, which ends the reminders",
        "http://leeway.example.org/v1/alerts/",
      ])
        expect(body).toContain(said);
      const link =
        "http://leeway.example.org/v1/models/flights/drift?monitor=daily&from=2001-04-01T00%3A00%3A00.000Z&to=2001-04-02T00%3A00%3A00.000Z";
      if (kind === "text") expect(body).toContain(link);
      else expect(mail?.html).toContain(`href="${link.replaceAll("&", "&amp;")}"`);
    },
  );

  it("tells a data fault with its likely cause, once, and the mean then and now", async () => {
    const box = await mailbox();
    const { see, deliver } = await watch(box.url);
    await see(windowResult("quality", { columns: [originShifted, distanceInKilometres] }));
    await deliver();
    expect(box.mails).toHaveLength(1);
    const [{ subject = "", text = "", html = "" } = {}] = box.mails;
    expect(subject).toContain("data fault in distance (1 feature drifted with it)");
    for (const body of [text.replace(/\s+/g, " "), words(html)]) {
      expect(body.split("1.609 times those of the baseline, as miles in kilometres")).toHaveLength(2);
      expect(body).toMatch(/mean.*726\.4.*1,169\.1.*\+60\.9 %/);
      expect(body.indexOf("distance")).toBeLessThan(body.indexOf("origin")); // the fault before the drift
    }
    for (const line of text.split("\n").filter((line) => !/https?:/.test(line)))
      expect(line.length).toBeLessThanOrEqual(90);
  });
});

describe("a mail server that is down", () => {
  it("gets the mail once it is back, and the retry is told of without the password", async () => {
    const port = await freePort();
    const { see, outbox, clock, alerts, metrics } = await watch(`smtp://ann:sword-fish@127.0.0.1:${port}`);
    await see(windowResult("drifted"));
    clock.advance(10 * SECOND);
    const down = await outbox.deliverDue();
    expect(down).toMatchObject([
      {
        target: "channel mail",
        attempt: 1,
        outcome: "retried",
        detail: `mail server 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
      },
    ]);
    expect((await alerts.channels.show("mail")).health).toMatchObject({
      waiting: 1,
      gave_up: 0,
      last_error: expect.stringContaining("ECONNREFUSED"),
    });
    const box = await mailbox({
      port,
      allowInsecureAuth: true,
      onAuth: (_, _session, done) => done(null, { user: "ann" }),
    });
    expect(await outbox.deliverDue()).toEqual([]); // not before its time
    clock.advance(MINUTE);
    const up = await outbox.deliverDue();
    expect(up).toMatchObject([{ attempt: 2, outcome: "delivered" }]);
    clock.advance(HOUR);
    expect(await outbox.deliverDue()).toEqual([]);
    expect(box.mails.map(({ subject }) => subject)).toEqual([
      "[leeway] flights: 1 feature drifted in 2001-04-01 (daily)",
    ]);
    expect((await alerts.channels.show("mail")).health).toMatchObject({ waiting: 0, last_error: null });
    expect(JSON.stringify([down, up, await alerts.channels.list(), await metrics()])).not.toContain("sword");
  });

  it("refusing the login is tried again, for somebody may put the password right", async () => {
    let password = "old";
    const box = await mailbox({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: (login, _session, done) =>
        login.password === password
          ? done(null, { user: "ann" })
          : done(new Error(`wrong: ${login.password}`)),
    });
    const { see, outbox, clock } = await watch(box.url.replace("smtp://", "smtp://ann:sword-fish@"));
    await see(windowResult("drifted"));
    clock.advance(10 * SECOND);
    const [report] = await outbox.deliverDue();
    expect(report?.outcome).toBe("retried");
    expect(report?.detail).toMatch(/login/i);
    expect(report?.detail).not.toContain("sword");
    password = "sword-fish";
    clock.advance(MINUTE);
    expect(await outbox.deliverDue()).toMatchObject([{ outcome: "delivered" }]);
    expect(box.mails).toHaveLength(1);
  });
});
