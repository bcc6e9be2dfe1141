import { afterEach, describe, expect, it } from "vitest";
import { openPostOffice, type PostOffice } from "./post-office.ts";
import { type Behaviour, type Receiver, startReceiver } from "./receiver.ts";
import { DAY, HOUR, MINUTE, SECOND, testClock } from "./test-clock.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

async function receiverThat(behaviour: Behaviour): Promise<Receiver> {
  const receiver = await startReceiver(behaviour);
  open.push(receiver);
  return receiver;
}

async function officeWith(
  addresses: Readonly<Record<string, string>>,
  more: Partial<Parameters<typeof openPostOffice>[0]> = {},
): Promise<PostOffice & { readonly clock: ReturnType<typeof testClock> }> {
  const clock = testClock();
  const office = await openPostOffice({ clock, addresses, timeoutMs: 10_000, ...more });
  open.push(office);
  return { ...office, clock };
}

const bodies = (receiver: Receiver) => receiver.received.map(({ body }) => body);
const ids = (receiver: Receiver) => receiver.received.map(({ headers }) => headers["webhook-id"]);

describe("the outbox", () => {
  it("delivers once and writes that down", async () => {
    const receiver = await receiverThat(204);
    const { outbox, put, rows } = await officeWith({ a: receiver.url });
    const id = await put("a", "hello");
    expect(await outbox.deliverDue()).toEqual([
      { id, target: "test a", about: "hello", attempt: 1, outcome: "delivered", detail: "delivered" },
    ]);
    await outbox.deliverDue();
    expect(bodies(receiver)).toEqual(["hello"]);
    expect(await rows()).toMatchObject([
      { id, state: "delivered", attempts: 1, last_status: 204, last_error: null },
    ]);
  });

  it("sends nothing of a transaction that was rolled back", async () => {
    const receiver = await receiverThat(204);
    const { outbox, database, rows } = await officeWith({ a: receiver.url });
    const failing = database.transaction(async (tx) => {
      await outbox.enqueue(tx, { target: { kind: "test", name: "a" }, about: "x", body: "x" });
      throw new Error("the check failed");
    });
    await expect(failing).rejects.toThrow("the check failed");
    await outbox.deliverDue();
    expect(receiver.received).toEqual([]);
    expect(await rows()).toEqual([]);
  });

  it("tries again under the same id until the receiver is back, and not before it is time", async () => {
    const receiver = await receiverThat(500);
    const { outbox, put, rows, clock } = await officeWith({ a: receiver.url });
    const id = await put("a", "hello");
    await outbox.deliverDue();
    clock.advance(4 * SECOND);
    await outbox.deliverDue();
    expect(receiver.received).toHaveLength(1);
    clock.advance(1 * SECOND);
    receiver.behave("drop");
    await outbox.deliverDue();
    receiver.behave(204);
    clock.advance(5 * MINUTE);
    await outbox.deliverDue();
    expect(ids(receiver)).toEqual([id, id, id]);
    expect(await rows()).toMatchObject([{ state: "delivered", attempts: 3, last_error: null }]);
    const signedAt = receiver.received.map(({ headers }) => Number(headers["webhook-timestamp"]));
    expect(signedAt.map((time) => time - (signedAt[0] ?? 0))).toEqual([0, 5, 305]);
  });

  it("gives up after ten attempts over three days, and says what the last one met", async () => {
    const receiver = await receiverThat(503);
    const counted: string[] = [];
    const ended: string[] = [];
    const { outbox, put, rows, clock } = await officeWith(
      { a: receiver.url },
      {
        count: (_, outcome) => counted.push(outcome),
        finished: async (_, message, { state, at }) => {
          ended.push(`${message.about} ${state} ${at.toISOString()}`);
        },
      },
    );
    await put("a", "hello");
    for (let hour = 0; hour < 24 * 7; hour += 1) {
      await outbox.deliverDue();
      clock.advance(HOUR);
    }
    expect(receiver.received).toHaveLength(10);
    expect(counted).toEqual([...new Array(9).fill("retried"), "failed"]);
    expect(ended).toEqual(["hello gave-up 2026-03-05T14:00:00.000Z"]);
    expect(await rows()).toMatchObject([
      { state: "gave-up", attempts: 10, last_status: 503, last_error: `${receiver.url} answered 503` },
    ]);
  });

  it("waits as long as the receiver asks", async () => {
    const receiver = await receiverThat({ status: 429, headers: { "retry-after": "3600" } });
    const { outbox, put, rows, clock } = await officeWith({ a: receiver.url });
    await put("a", "hello");
    await outbox.deliverDue();
    const [row] = await rows();
    expect(row?.due_at.getTime()).toBe(clock.now().getTime() + HOUR);
  });

  it("ends at 410 without another attempt", async () => {
    const receiver = await receiverThat(410);
    const { outbox, put, rows, clock } = await officeWith({ a: receiver.url });
    await put("a", "hello");
    await outbox.deliverDue();
    clock.advance(DAY);
    await outbox.deliverDue();
    expect(receiver.received).toHaveLength(1);
    expect(await rows()).toMatchObject([
      { state: "gave-up", last_error: `${receiver.url} answered 410 Gone` },
    ]);
  });

  it("is not held up by a receiver that hangs", async () => {
    const hanging = await receiverThat("hang");
    const quick = await receiverThat(204);
    const { outbox, put } = await officeWith(
      { hanging: hanging.url, quick: quick.url },
      { timeoutMs: 60_000 },
    );
    await put("hanging", "one");
    await put("hanging", "two");
    await put("quick", "three");
    const first = outbox.deliverDue();
    await until(() => quick.received.length === 1 && hanging.received.length === 1);
    await put("quick", "four");
    while (quick.received.length < 2) await outbox.deliverDue(); // the first call still waits for the receiver that hangs
    expect(bodies(quick)).toEqual(["three", "four"]);
    expect(bodies(hanging)).toEqual(["one"]);
    await outbox.close();
    expect(await first).toMatchObject([{ about: "three", outcome: "delivered" }]);
  });

  it("does not send a message twice when calls overlap", async () => {
    const receiver = await receiverThat(204);
    const { outbox, put } = await officeWith({ a: receiver.url });
    for (let i = 0; i < 10; i += 1) await put("a", `message ${i}`);
    await Promise.all(new Array(20).fill(0).map(() => outbox.deliverDue()));
    await outbox.deliverDue();
    expect(new Set(ids(receiver)).size).toBe(10);
    expect(receiver.received).toHaveLength(10);
  });

  it("takes turns: a long queue for one receiver does not hide another's message", async () => {
    const busy = await receiverThat(500);
    const other = await receiverThat(204);
    const { outbox, put } = await officeWith({ busy: busy.url, other: other.url });
    for (let i = 0; i < 50; i += 1) await put("busy", `message ${i}`);
    await put("other", "hello");
    await outbox.deliverDue();
    expect(bodies(other)).toEqual(["hello"]);
    expect(busy.received).toHaveLength(1); // one failure ends the turn
  });

  it("lets a message wait whose kind nobody here delivers", async () => {
    const { outbox, database, rows } = await officeWith({});
    await database.transaction((tx) =>
      outbox.enqueue(tx, { target: { kind: "pigeon", name: "a" }, about: "x", body: "x" }),
    );
    expect(await outbox.deliverDue()).toEqual([]);
    expect(await rows()).toMatchObject([{ state: "waiting", attempts: 0 }]);
  });

  it("survives a sender that throws, keeping the message and none of the error's words", async () => {
    const { outbox, database, rows } = await officeWith({});
    outbox.register("broken", {
      send: async () => {
        throw new TypeError("cannot read whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw of undefined");
      },
    });
    await database.transaction((tx) =>
      outbox.enqueue(tx, { target: { kind: "broken", name: "a" }, about: "x", body: "x" }),
    );
    expect(await outbox.deliverDue()).toMatchObject([{ outcome: "retried" }]);
    expect(await rows()).toMatchObject([
      { state: "waiting", attempts: 1, last_error: "sending failed in an unforeseen way (TypeError)" },
    ]);
  });

  it("wipes the secret of a message that is done with", async () => {
    const receiver = await receiverThat(500);
    const { outbox, database, rows, clock } = await officeWith({ a: receiver.url });
    await database.transaction((tx) =>
      outbox.enqueue(tx, { target: { kind: "test", name: "a" }, about: "x", body: "x", secret: "token" }),
    );
    await outbox.deliverDue();
    expect(await rows()).toMatchObject([{ secret: "token" }]);
    receiver.behave(200);
    clock.advance(MINUTE);
    await outbox.deliverDue();
    expect(await rows()).toMatchObject([{ state: "delivered", secret: null }]);
  });

  it("forgets what was done with a month ago", async () => {
    const receiver = await receiverThat(204);
    const { outbox, put, rows, clock } = await officeWith({ a: receiver.url });
    await put("a", "hello");
    await outbox.deliverDue();
    clock.advance(29 * DAY);
    await outbox.deliverDue();
    expect(await rows()).toHaveLength(1);
    clock.advance(2 * DAY);
    await outbox.deliverDue();
    expect(await rows()).toEqual([]);
  });
});

describe("messages about the same thing", () => {
  it("are replaced while they wait: the receiver gets the newest", async () => {
    const receiver = await receiverThat(204);
    const { outbox, put, rows, clock } = await officeWith({ a: receiver.url });
    for (const body of ["fired", "resolved", "fired again"]) {
      await put("a", body, { coalesceKey: "churn", settleMs: 10 * SECOND });
      await outbox.deliverDue();
      clock.advance(3 * SECOND);
    }
    clock.advance(7 * SECOND);
    await outbox.deliverDue();
    expect(bodies(receiver)).toEqual(["fired again"]);
    expect((await rows()).map(({ state }) => state)).toEqual(["superseded", "superseded", "delivered"]);
  });

  it("are sent at the latest after ten minutes, however often they are replaced", async () => {
    const receiver = await receiverThat(204);
    const { outbox, put, clock } = await officeWith({ a: receiver.url });
    for (let i = 0; i < 65; i += 1) {
      await put("a", `state ${i}`, { coalesceKey: "churn", settleMs: 15 * SECOND });
      clock.advance(10 * SECOND);
      await outbox.deliverDue();
    }
    expect(bodies(receiver)).toEqual(["state 59"]);
  });

  it("that differ in key are all sent", async () => {
    const receiver = await receiverThat(204);
    const { outbox, put } = await officeWith({ a: receiver.url });
    await put("a", "one", { coalesceKey: "churn" });
    await put("a", "two", { coalesceKey: "fraud" });
    await outbox.deliverDue();
    expect(bodies(receiver)).toEqual(["one", "two"]);
  });

  it("replace one that a dead receiver has refused, without its long pause", async () => {
    const receiver = await receiverThat(500);
    const { outbox, put, clock } = await officeWith({ a: receiver.url });
    await put("a", "old", { coalesceKey: "churn" });
    for (let i = 0; i < 4; i += 1) {
      await outbox.deliverDue();
      clock.advance(HOUR);
    }
    receiver.behave(204);
    await put("a", "new", { coalesceKey: "churn", settleMs: 10 * SECOND });
    clock.advance(10 * SECOND);
    await outbox.deliverDue();
    expect(bodies(receiver).at(-1)).toBe("new");
    clock.advance(DAY);
    await outbox.deliverDue();
    expect(bodies(receiver).filter((body) => body === "old").length).toBe(4);
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resume) => setTimeout(resume, 5));
}
