import { expect, it } from "vitest";
import { BackgroundThread } from "../../../collector/sidecar/background-thread.ts";
import { Counters } from "../../../collector/sidecar/counters.ts";
import type { CallHead } from "../../../collector/sidecar/slab.ts";
import { collector, OPTIONS, until } from "./here.ts";

function callOf(id: string, body: Buffer, bytes = body.length): CallHead {
  const payload = {
    state: "whole",
    type: "application/json",
    encoding: undefined,
    headerLength: undefined,
  } as const;
  return {
    ...{ id, idState: "settled", timeMs: Date.now(), latencyMs: 1, status: 200, path: "/score" },
    request: { ...payload, chunks: [body], bytes },
    response: { ...payload, chunks: [body], bytes: body.length },
  };
}

it("a background thread that dies is replaced: what it had is counted, its memory is free, and the next calls are recorded", async () => {
  const { url, records } = await collector();
  const counters = new Counters();
  const log: string[] = [];
  let released = 0;
  const thread = new BackgroundThread(
    { ...OPTIONS, collector: url },
    {
      counters,
      release: (bytes) => {
        released += bytes;
      },
      log: (_, message) => log.push(message),
    },
  );
  const body = Buffer.from('{"age":3}');
  thread.hand(callOf("before", body), 100);
  await until(() => counters.get("captured_records") === 1);
  thread.hand(callOf("broken", body, 1), 200); // its lengths lie, which no call's do
  await until(() => counters.get("background_restarts") === 1);
  thread.hand(callOf("while it is away", body), 300);
  await until(() => counters.get("dropped_requests_background") === 2);
  await until(() => {
    thread.hand(callOf("after", body), 0);
    return records.has("after:0");
  });
  await thread.close(1_000);
  expect(released).toBe(600);
  expect(log).toContain("the background thread failed");
  const lost = counters.get("dropped_records_background");
  expect(records.has("before:0") ? 0 : 1).toBe(lost);
});
