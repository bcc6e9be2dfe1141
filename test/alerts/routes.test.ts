import type { OpenAPIHono } from "@hono/zod-openapi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addAlertRoutes } from "../../alerts/routes.ts";
import { createApi } from "../../app/http.ts";
import { createLog } from "../../app/log.ts";
import type { Alert } from "../../schema/alert.ts";
import { type Receiver, startReceiver } from "../events/receiver.ts";
import { startWatch, type Watch } from "./watch.ts";
import { windowResult } from "./window-result.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const TOKEN = "T0KEN-of-a-chat-service-in-the-path";

let watch: Watch;
let api: OpenAPIHono;
let receiver: Receiver;
let logged = "";
beforeEach(async () => {
  logged = "";
  receiver = await startReceiver();
  watch = await startWatch();
  const write = (line: string) => {
    logged += line;
  };
  api = createApi({ log: createLog({ level: "trace", to: { write } }), guard: () => undefined });
  addAlertRoutes(api, watch.alerts);
});
afterEach(async () => {
  await watch.close();
  await receiver.close();
});

async function call(method: string, path: string, body?: unknown) {
  const init = {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  };
  const response = await api.request(path, init, {}); // {}: a request that no listener took in
  const text = await response.text();
  return { status: response.status, text, json: text === "" ? undefined : JSON.parse(text) };
}

const hook = () => ({
  type: "webhook",
  url: `${receiver.url.replace("http://", "http://ann:sword-fish@")}/${TOKEN}?key=query-key`,
  secret: SECRET,
  previous_secret: OLD_SECRET,
});

describe("secrets of a channel", () => {
  it("go in and never come out: not in answers, errors, events, metrics or the log", async () => {
    const answers = [
      await call("PUT", "/v1/channels/hook", hook()),
      await call("GET", "/v1/channels/hook"),
      await call("GET", "/v1/channels"),
      await call("PUT", "/v1/alert-rules/drift", { channels: ["hook"] }),
      await call("POST", "/v1/channels/hook/test"),
    ];
    receiver.behave(500);
    answers.push(await call("POST", "/v1/channels/hook/test"));
    receiver.behave("drop");
    answers.push(await call("POST", "/v1/channels/hook/test"));
    await watch.see(windowResult("drifted"));
    watch.clock.advance(10_000);
    const reports = await watch.outbox.deliverDue();
    receiver.behave(410);
    watch.clock.advance(60_000);
    reports.push(...(await watch.outbox.deliverDue()));
    answers.push(await call("GET", "/v1/channels/hook"), await call("GET", "/v1/alerts"));
    answers.push(await call("PUT", "/v1/channels/hook", { ...hook(), secret: `${SECRET}!` }));

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 502, 502, 200, 200, 400]);
    expect(answers[1]?.json.spec).toEqual({
      type: "webhook",
      url: `${receiver.url.replace("http://", "http://***:***@")}/***?key=***`,
      secret: "whsec_***",
      previous_secret: "whsec_***",
    });
    expect(reports.map(({ outcome }) => outcome)).toEqual(["retried", "failed"]);
    expect(logged).toContain("/v1/channels/hook/test");
    const said = JSON.stringify([answers, reports, await watch.events(), await watch.metrics(), logged]);
    for (const secret of [SECRET, OLD_SECRET, SECRET.slice(6), TOKEN, "sword-fish", "query-key"])
      expect(said).not.toContain(secret);
    for (const { headers, path } of receiver.received) {
      expect(path).toBe(`/${TOKEN}?key=query-key`); // where it belongs, it does arrive
      expect(String(headers["webhook-signature"]).split(" ")).toHaveLength(2);
    }
  });

  it("stay out of messages as well", async () => {
    await call("PUT", "/v1/channels/hook", hook());
    await call("PUT", "/v1/alert-rules/drift", { channels: ["hook"] });
    await watch.see(windowResult("drifted"));
    await watch.deliver();
    expect(receiver.received[0]?.body).toContain("dev.leeway.alert.fired");
    expect(receiver.received[0]?.body).not.toMatch(/whsec_|sword-fish|query-key|T0KEN/);
  });
});

describe("alerts over HTTP", () => {
  it("are listed newest first, by state, in pages", async () => {
    for (const name of ["a", "b", "c"]) await call("PUT", `/v1/alert-rules/${name}`, {});
    await watch.see(windowResult("drifted"));
    const first = (await call("GET", "/v1/alerts?limit=2")).json;
    const second = (await call("GET", `/v1/alerts?limit=2&cursor=${first.cursor}`)).json;
    expect([...first.alerts, ...second.alerts].map(({ rule }: Alert) => rule)).toEqual(["c", "b", "a"]);
    expect(second.cursor).toBeNull();
    expect((await call("GET", "/v1/alerts?state=resolved")).json.alerts).toEqual([]);
    expect((await call("GET", "/v1/alerts?model=other")).json.alerts).toEqual([]);
    expect((await call("GET", "/v1/alerts?state=gone")).status).toBe(400);
  });

  it("are acknowledged with a name and a reason, and answer who and why", async () => {
    await call("PUT", "/v1/alert-rules/drift", {});
    await watch.see(windowResult("drifted"));
    const [{ id }] = (await call("GET", "/v1/alerts")).json.alerts;
    expect(await call("POST", `/v1/alerts/${id}/ack`, { by: "Ann" })).toMatchObject({
      status: 400,
      json: { code: "invalid-input", detail: expect.stringContaining("why") },
    });
    expect(await call("POST", `/v1/alerts/${id}/ack`, { by: "Ann", why: "feed changed" })).toMatchObject({
      status: 200,
      json: { id, state: "acknowledged", acknowledged_by: "Ann", acknowledged_why: "feed changed" },
    });
    expect((await call("GET", "/v1/alerts?state=acknowledged")).json.alerts).toMatchObject([{ id }]);
    await watch.see(windowResult("stable", { day: 2 }));
    expect(await call("POST", `/v1/alerts/${id}/ack`, { by: "Bob", why: "late" })).toMatchObject({
      status: 409,
      json: { code: "conflict" },
    });
    expect((await call("POST", "/v1/alerts/none/ack", { by: "Bob", why: "?" })).status).toBe(404);
  });
});

describe("rules and channels over HTTP", () => {
  it("are made, shown, changed, listed and deleted", async () => {
    await call("PUT", "/v1/channels/hook", { type: "webhook", url: receiver.url });
    const made = await call("PUT", "/v1/alert-rules/drift", { channels: ["hook"] });
    expect(made.json).toMatchObject({
      name: "drift",
      spec: { on: "drift", windows: 1, severity: "warning" },
    });
    await call("PUT", "/v1/alert-rules/drift", { channels: ["hook"], severity: "critical" });
    expect((await call("GET", "/v1/alert-rules/drift")).json.spec.severity).toBe("critical");
    expect((await call("GET", "/v1/alert-rules")).json.alert_rules).toHaveLength(1);
    expect((await call("DELETE", "/v1/channels/hook")).status).toBe(409);
    expect((await call("DELETE", "/v1/alert-rules/drift")).status).toBe(204);
    expect((await call("DELETE", "/v1/channels/hook")).status).toBe(204);
    expect((await call("GET", "/v1/alert-rules/drift")).status).toBe(404);
    expect((await call("DELETE", "/v1/channels/hook")).status).toBe(404);
  });

  it.each([
    { path: "/v1/alert-rules/r", body: { on: "rain" }, says: "on" },
    {
      path: "/v1/alert-rules/r",
      body: { windows: 3, of_last: 2 },
      says: "windows cannot be more than of_last",
    },
    { path: "/v1/alert-rules/r", body: { remind_every: "often" }, says: "remind_every expected a duration" },
    { path: "/v1/alert-rules/r", body: { chanels: ["mail"] }, says: "not known here: chanels" },
    { path: "/v1/alert-rules/r", body: { channels: ["pager"] }, says: 'names the channel "pager"' },
    { path: "/v1/channels/c", body: { type: "webhook", url: "ftp://example.org" }, says: "url" },
    { path: "/v1/channels/c", body: { type: "webhook", url: "http://a", secret: "hello" }, says: "whsec_" },
    { path: "/v1/channels/c", body: { type: "email", to: ["nobody"] }, says: "to[0]" },
    { path: "/v1/channels/c", body: { type: "email", to: ["ann@example.org"] }, says: "LEEWAY_SMTP_URL" },
    { path: "/v1/channels/c", body: { type: "pager" }, says: "type" },
  ])("are refused with a reason: $body", async ({ path, body, says }) => {
    const { status, json } = await call("PUT", path, body);
    expect(status).toBe(400);
    expect(json.detail).toContain(says);
  });
});
