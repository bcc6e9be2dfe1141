import { afterEach, describe, expect, it } from "vitest";
import { type PostOptions, postWebhook } from "../../events/post-webhook.ts";
import { type Behaviour, freePort, type Receiver, startReceiver } from "./receiver.ts";
import { testClock } from "./test-clock.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const open: Receiver[] = [];
afterEach(async () => {
  for (const receiver of open.splice(0)) await receiver.close();
});

async function receiverThat(behaviour: Behaviour): Promise<Receiver> {
  const receiver = await startReceiver(behaviour);
  open.push(receiver);
  return receiver;
}

function post(url: string, options: Partial<PostOptions> = {}) {
  return postWebhook(
    {
      target: { url, secret: SECRET },
      id: "msg_1",
      contentType: "application/cloudevents+json",
      body: '{"é":1}',
    },
    {
      privateAddresses: "allow",
      signal: AbortSignal.timeout(10_000),
      now: testClock().now,
      ...options,
    },
  );
}

describe("a webhook", () => {
  it.each([
    { behaviour: 200, outcome: { result: "delivered", status: 200 } },
    { behaviour: 204, outcome: { result: "delivered", status: 204 } },
    { behaviour: 500, outcome: { result: "failed", status: 500 } },
    { behaviour: 400, outcome: { result: "failed", status: 400 } },
    { behaviour: 410, outcome: { result: "gone", status: 410 } },
    {
      behaviour: { status: 503, headers: { "retry-after": "90" } },
      outcome: { result: "failed", status: 503, retryAfterMs: 90_000 },
    },
    { behaviour: "drop", outcome: { result: "failed" } },
  ] as const)("to a receiver that does $behaviour: $outcome", async ({ behaviour, outcome }) => {
    const receiver = await receiverThat(behaviour);
    expect(await post(receiver.url)).toMatchObject(outcome);
    expect(receiver.received).toHaveLength(1);
    expect(receiver.received[0]?.body).toBe('{"é":1}');
  });

  it("does not follow a redirect", async () => {
    const elsewhere = await receiverThat(204);
    const receiver = await receiverThat({ status: 307, headers: { location: elsewhere.url } });
    const outcome = await post(receiver.url);
    expect(outcome).toMatchObject({ result: "failed", status: 307 });
    expect(outcome).toHaveProperty("error", expect.stringMatching(/redirects are not followed/));
    expect(elsewhere.received).toEqual([]);
  });

  it("gives up on a receiver that hangs", async () => {
    const receiver = await receiverThat("hang");
    const outcome = await post(receiver.url, { signal: AbortSignal.timeout(150) });
    expect(outcome).toEqual({ result: "failed", error: `${receiver.url}: no answer in time` });
  });

  it("says that nobody listens", async () => {
    const port = await freePort();
    expect(await post(`http://127.0.0.1:${port}/secret-path`)).toEqual({
      result: "failed",
      error: `http://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    });
  });

  it.each(["http://127.0.0.1", "http://[::1]", "http://2130706433", "http://0x7f.1", "http://localhost"])(
    "to %s is refused where private addresses are, before anything is sent",
    async (origin) => {
      const receiver = await receiverThat(204);
      const { port } = new URL(receiver.url);
      const outcome = await post(`${origin}:${port}/`, { privateAddresses: "refuse" });
      expect(outcome).toMatchObject({ result: "failed" });
      expect(outcome).toHaveProperty("error", expect.stringMatching(/refused: .* is a private address/));
      expect(receiver.received).toEqual([]);
    },
  );

  it("never goes to a link-local address, allowed or not", async () => {
    expect(await post("http://169.254.169.254/latest/meta-data")).toHaveProperty(
      "error",
      "http://169.254.169.254: refused: 169.254.169.254 is a link-local or multicast address",
    );
  });

  it("sends user and password of the address as basic authentication, and never tells them", async () => {
    const receiver = await receiverThat(500);
    const outcome = await post(receiver.url.replace("http://", "http://ann:swordfish@"));
    expect(receiver.received[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from("ann:swordfish").toString("base64")}`,
    );
    expect(JSON.stringify(outcome)).not.toMatch(/ann|swordfish|whsec/);
  });
});
