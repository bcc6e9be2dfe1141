import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export interface SteadyCalls {
  readonly sent: number;
  /** Calls without an answer, or with another status than 200. */
  readonly failed: number;
  readonly latenciesMs: readonly number[];
}

/**
 * Calls at a steady rate whatever the answers take: each is sent when it is due, so that a slow answer is not hidden by
 * calls that were not made (coordinated omission).
 *
 * @param until - Stops when it says so, asked before each call.
 */
export async function callSteadily(
  url: string,
  { perSecond, bodyOf }: { readonly perSecond: number; readonly bodyOf: (call: number) => Body },
  until: (call: number) => boolean,
): Promise<SteadyCalls> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const latenciesMs: number[] = [];
  let failed = 0;
  const underWay = new Set<Promise<void>>();
  const startedMs = performance.now();
  let call = 0;
  for (; !until(call); call += 1) {
    const dueMs = startedMs + (call * 1_000) / perSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    const asked = performance.now(); // a timer may be late, which is not the fault of who is called
    const done: Promise<void> = ask(url, agent, bodyOf(call)).then((status) => {
      if (status === 200) latenciesMs.push(performance.now() - asked);
      else failed += 1;
      underWay.delete(done);
    });
    underWay.add(done);
  }
  await Promise.all(underWay);
  agent.destroy();
  return { sent: call, failed, latenciesMs };
}

interface Body {
  readonly id: string;
  readonly text: string;
}

/** The status; 0 when there is no answer. */
function ask(url: string, agent: Agent, { id, text }: Body): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(url, {
      agent,
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(text),
        "x-request-id": id,
      },
    });
    sent.on("response", (answer) => {
      answer.on("error", () => resolve(0));
      answer.on("end", () => resolve(answer.statusCode ?? 0));
      answer.resume();
    });
    sent.on("error", () => resolve(0));
    sent.end(text);
  });
}
