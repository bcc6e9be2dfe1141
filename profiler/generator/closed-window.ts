import autocannon from "autocannon";
import { encodeHistogram, newHistogram, recordMs } from "../latency-histogram.ts";
import type { ClosedWindowOrder, LoadResult, LoadTarget } from "./messages.ts";
import { judgeOf } from "./success.ts";

/** How often autocannon looks whether its time is over; once a second unless told otherwise. */
const STOP_CHECK_MS = 50;

/**
 * Loads the target with callers that each wait for their answer, by autocannon: what the service gives when it is
 * never idle. Its latencies say nothing about independent callers, and are kept for the throughput curve only.
 */
export async function runClosedWindow(
  target: LoadTarget,
  order: ClosedWindowOrder,
  signal: AbortSignal,
): Promise<LoadResult> {
  const latency = newHistogram();
  const judge = judgeOf(target.success);
  const counts = { ok: 0, failed: 0 };
  const outcomes: Record<string, number> = {};
  const started = performance.now();
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const run = autocannon(optionsOf(), (error, ended) => {
      signal.removeEventListener("abort", stop);
      if (error) reject(error);
      else resolve(ended);
    });
    const stop = () => run.stop();
    function optionsOf(): autocannon.Options {
      return {
        url: target.origin,
        connections: Math.min(order.concurrency, order.most),
        maxOverallRequests: order.most, // shared out among the connections; to be told to stop comes too late
        duration: order.durationMs / 1_000,
        sampleInt: STOP_CHECK_MS,
        timeout: Math.max(1, Math.ceil(target.timeoutMs / 1_000)),
        headers: { "user-agent": "leeway-profiler", ...target.headers },
        requests: target.payloads.map((body) => ({
          method: target.method as NonNullable<autocannon.Request["method"]>, // checked where it came in
          path: target.path,
          ...(body.length > 0 ? { body: Buffer.from(body) } : {}),
          onResponse: (status: number, text: string) => {
            counts[judge({ status, body: text })] += 1;
            outcomes[status] = (outcomes[status] ?? 0) + 1;
          },
        })),
      };
    }
    run.on("response", (_client, _status, _bytes, responseMs) => recordMs(latency, responseMs));
    signal.addEventListener("abort", stop, { once: true });
  });
  const durationMs = Math.max(performance.now() - started, 1);
  if (result.errors > 0) outcomes.error = result.errors - result.timeouts;
  if (result.timeouts > 0) outcomes["timed out"] = result.timeouts;
  const empty = encodeHistogram(newHistogram());
  return {
    durationMs,
    due: counts.ok + counts.failed + result.errors,
    ok: counts.ok,
    failed: counts.failed + result.errors - result.timeouts,
    timedOut: result.timeouts,
    outcomes,
    latency: encodeHistogram(latency),
    service: encodeHistogram(latency),
    lateness: empty,
    mostInFlight: order.concurrency,
    gcMs: 0,
    end: signal.aborted ? "stopped" : "complete",
  };
}
