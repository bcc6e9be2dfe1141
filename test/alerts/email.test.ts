import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type Mail, sendMail } from "../../alerts/email.ts";
import { freePort } from "../events/receiver.ts";
import { type Mailbox, startMailbox } from "./mailbox.ts";

const mail: Mail = {
  subject: "[leeway] flights: 1 feature drifted — Übersicht",
  text: "plain words\n",
  html: "<p>words</p>",
  messageId: "alert-1",
};
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const resource of open.splice(0)) await resource.close();
});

async function mailbox(...options: Parameters<typeof startMailbox>): Promise<Mailbox> {
  const started = await startMailbox(...options);
  open.push(started);
  return started;
}

const send = (
  smtpUrl: string,
  message: Mail = mail,
  { to = ["ann@example.org"], from = "leeway@example.org" } = {},
) => sendMail(message, { to }, { options: { smtpUrl, from }, signal: AbortSignal.timeout(10_000) });

describe("an e-mail", () => {
  it("arrives with both bodies, its own id, and marked as sent by a machine", async () => {
    const box = await mailbox();
    expect(await send(box.url)).toEqual({ result: "delivered" });
    expect(box.mails).toMatchObject([
      {
        subject: mail.subject,
        text: expect.stringMatching(/^plain words\s+$/),
        html: expect.stringContaining("<p>words</p>"),
        messageId: "<alert-1@example.org>",
        from: { address: "leeway@example.org" },
        recipients: ["ann@example.org"],
      },
    ]);
    expect(box.mails[0]?.raw).toMatch(/^Auto-Submitted: auto-generated\r$/m);
  });

  it("that follows another is filed with it", async () => {
    const box = await mailbox();
    await send(box.url, { ...mail, messageId: "later", inReplyTo: "alert-1" });
    expect(box.mails[0]).toMatchObject({
      messageId: "<later@example.org>",
      inReplyTo: "<alert-1@example.org>",
      references: "<alert-1@example.org>",
    });
  });

  it("carries the same id when it is sent again", async () => {
    const box = await mailbox();
    await send(box.url);
    await send(box.url);
    expect(box.mails.map(({ messageId }) => messageId)).toEqual([
      "<alert-1@example.org>",
      "<alert-1@example.org>",
    ]);
  });

  it("logs in with user and password of the address", async () => {
    let seen: unknown;
    const box = await mailbox({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, done) => {
        seen = { username, password };
        done(null, { user: username ?? "" });
      },
    });
    const outcome = await send(box.url.replace("smtp://", "smtp://ann%40example.org:p%40ss%2Fw%3Ard@"));
    expect(outcome).toEqual({ result: "delivered" });
    expect(seen).toEqual({ username: "ann@example.org", password: "p@ss/w:rd" });
  });

  it("goes over TLS where the server offers it, and only where its certificate is good", async () => {
    const box = await mailbox({ disabledCommands: [] });
    expect(await send(box.url)).toMatchObject({
      result: "failed",
      error: expect.stringMatching(/certificate/i),
    });
    expect(box.mails).toEqual([]);
    expect(await send(`${box.url}?tls.rejectUnauthorized=false`)).toEqual({ result: "delivered" });
    expect(box.mails[0]?.raw).toBeDefined();
  });

  it("insists on TLS where the address asks for it", async () => {
    const box = await mailbox();
    expect(await send(`${box.url}?requireTLS=true`)).toMatchObject({ result: "failed" });
    expect(box.mails).toEqual([]);
  });

  it("says whom the server refused beside those it took", async () => {
    const box = await mailbox({
      onRcptTo: ({ address }, _session, done) =>
        done(address.startsWith("gone") ? new Error("no such user") : null),
    });
    const to = ["ann@example.org", "gone@example.org"];
    expect(await send(box.url, mail, { to })).toEqual({
      result: "delivered",
      note: "refused for gone@example.org",
    });
    expect(box.mails[0]?.recipients).toEqual(["ann@example.org"]);
  });

  it.each([
    { code: 421, message: "try later", result: "failed" },
    { code: 451, message: "greylisted", result: "failed" },
    { code: 554, message: "looks like spam", result: "refused" },
  ])("answered $code is $result", async ({ code, message, result }) => {
    const box = await mailbox();
    box.refuseWith({ code, message });
    const outcome = await send(box.url);
    expect(outcome).toMatchObject({ result, error: expect.stringContaining(message) });
  });

  it("to addresses that are all refused for good is refused", async () => {
    const box = await mailbox({
      onRcptTo: (_, _session, done) => done(Object.assign(new Error("no such user"), { responseCode: 550 })),
    });
    expect(await send(box.url)).toMatchObject({ result: "refused" });
  });

  it("fails, to be tried again, when nobody listens", async () => {
    const port = await freePort();
    expect(await send(`smtp://127.0.0.1:${port}`)).toEqual({
      result: "failed",
      error: `mail server 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    });
  });

  it("fails in time when the server never greets", async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const outcome = await sendMail(
      mail,
      { to: ["ann@example.org"] },
      { options: { smtpUrl: `smtp://127.0.0.1:${port}` }, signal: AbortSignal.timeout(150) },
    );
    await new Promise((closed) => server.close(closed));
    expect(outcome).toEqual({ result: "failed", error: `mail server 127.0.0.1:${port}: no answer in time` });
  });

  it("never tells the password when the login fails, though the server repeats it", async () => {
    const box = await mailbox({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, done) =>
        done(
          new Error(
            `${username} ${password} ${Buffer.from(`\0${username}\0${password}`).toString("base64")}`,
          ),
        ),
    });
    const outcome = await send(box.url.replace("smtp://", "smtp://ann:sword%40fish@"));
    expect(outcome.result).toBe("failed"); // somebody may put the password right
    expect(JSON.stringify(outcome)).not.toMatch(/sword|fish|%40|AGFubg/);
  });
});
