import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openPostOffice } from "./post-office.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { MINUTE, testClock } from "./test-clock.ts";

let folder: string;
let receiver: Receiver;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "leeway-outbox-"));
  receiver = await startReceiver();
});
afterEach(async () => {
  await receiver.close();
  await rm(folder, { recursive: true });
});

function open(clock = testClock()) {
  return openPostOffice({
    clock,
    addresses: { a: receiver.url },
    path: join(folder, "leeway.duckdb"),
    timeoutMs: 60_000,
  });
}

const ids = () => receiver.received.map(({ headers }) => headers["webhook-id"]);

describe("after a restart", () => {
  it("what waited is delivered, and what was delivered is not sent again", async () => {
    const before = await open();
    const delivered = await before.put("a", "delivered before");
    await before.outbox.deliverDue();
    receiver.behave(500);
    const failed = await before.put("a", "failed before");
    await before.outbox.deliverDue();
    const untried = await before.put("a", "not tried before");
    await before.close();

    receiver.behave(204);
    const clock = testClock();
    clock.advance(MINUTE);
    const after = await open(clock);
    await after.outbox.deliverDue();
    await after.close();
    expect(ids().slice(0, 2)).toEqual([delivered, failed]);
    expect(ids().slice(2).toSorted()).toEqual([failed, untried]); // in any order, and nothing else
  });

  it("a message that was taken, but not written down as taken, comes again under the same id", async () => {
    const before = await open();
    const id = await before.put("a", "hello");
    receiver.onRequest(async () => {
      await before.database.close(); // the process dies while the receiver has the message in hand
    });
    await expect(before.outbox.deliverDue()).rejects.toThrow();
    receiver.onRequest(async () => undefined);

    const after = await open();
    await after.outbox.deliverDue();
    await after.outbox.deliverDue();
    const rows = await after.rows();
    await after.close();
    expect(ids()).toEqual([id, id]);
    expect(rows).toMatchObject([{ state: "delivered", attempts: 1 }]);
  });

  it("so it does when the process is killed at that moment", async () => {
    const program = join(import.meta.dirname, "delivering-child.ts");
    const child = spawn(process.execPath, [
      "--import",
      "tsx",
      program,
      join(folder, "leeway.duckdb"),
      receiver.url,
    ]);
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
    receiver.behave("hang");
    receiver.onRequest(async () => {
      child.kill("SIGKILL");
    });
    await new Promise((ended) => child.once("exit", ended));
    const id = printed.trim();
    expect(ids()).toEqual([id]);

    receiver.onRequest(async () => undefined);
    receiver.behave(204);
    const after = await open();
    await after.outbox.deliverDue();
    await after.close();
    expect(ids()).toEqual([id, id]);
  });

  it("an attempt that the stop cut short is made again and was not counted", async () => {
    receiver.behave("hang");
    const before = await open();
    const id = await before.put("a", "hello");
    const cut = before.outbox.deliverDue();
    while (receiver.received.length === 0) await new Promise((resume) => setTimeout(resume, 5));
    await before.close();
    expect(await cut).toEqual([]);

    receiver.behave(204);
    const after = await open();
    await after.outbox.deliverDue();
    const rows = await after.rows();
    await after.close();
    expect(ids()).toEqual([id, id]);
    expect(rows).toMatchObject([{ state: "delivered", attempts: 1 }]);
  });
});
