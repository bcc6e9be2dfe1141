import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { webhookHeaders } from "../../events/standard-webhooks.ts";

const OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

describe("signatures", () => {
  it("are those of the specification's own example", () => {
    const headers = webhookHeaders({
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      attemptedAt: new Date(1_614_265_330_000),
      body: '{"test": 2432232314}',
      secrets: [OLD],
    });
    expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    expect(headers["webhook-timestamp"]).toBe("1614265330");
  });

  it("are accepted by the reference library, whatever the body", () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ minLength: 24, maxLength: 64 }), (text, key) => {
        const secret = `whsec_${Buffer.from(key).toString("base64")}`;
        const body = JSON.stringify({ text });
        const headers = webhookHeaders({ id: "msg_1", attemptedAt: new Date(), body, secrets: [secret] });
        expect(new Webhook(secret).verify(body, headers)).toEqual({ text });
      }),
    );
  });

  it("of the old and the new secret go together while a secret is changed", () => {
    const body = "{}";
    const headers = webhookHeaders({ id: "msg_1", attemptedAt: new Date(), body, secrets: [NEW, OLD] });
    for (const secret of [OLD, NEW]) expect(new Webhook(secret).verify(body, headers)).toEqual({});
  });

  it("are refused by the reference library when the body was changed on the way", () => {
    const headers = webhookHeaders({ id: "msg_1", attemptedAt: new Date(), body: "{}", secrets: [NEW] });
    expect(() => new Webhook(NEW).verify('{"a":1}', headers)).toThrow();
  });

  it("are left out without a secret", () => {
    const headers = webhookHeaders({ id: "msg_1", attemptedAt: new Date(0), body: "{}", secrets: [] });
    expect(headers).toEqual({ "webhook-id": "msg_1", "webhook-timestamp": "0" });
  });
});
