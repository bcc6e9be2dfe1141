import { PerformanceObserver } from "node:perf_hooks";
import { encodeHistogram, newHistogram, recordMs } from "../latency-histogram.ts";
import { seededRandom } from "../seeded-random.ts";
import { arrivals } from "./arrivals.ts";
import { Connections } from "./connections.ts";
import type { LoadResult, LoadTarget, OpenWindowOrder } from "./messages.ts";
import { OpenLoop } from "./open-loop.ts";

/** A timer may come so much too late: what is due sooner is waited for without one. */
const TIMER_SLACK_MS = 1.5;
/** How often time-outs are looked at when nothing is due. */
const IDLE_TICK_MS = 10;
/** How often it is asked whether the objective can still be met. */
const LOOK_MS = 50;

/** Loads the target at a rate, whatever it answers, and tells what came of it. */
export function runOpenWindow(
  target: LoadTarget,
  order: OpenWindowOrder,
  signal: AbortSignal,
): Promise<LoadResult> {
  const latency = newHistogram();
  const service = newHistogram();
  const lateness = newHistogram();
  const counts = { ok: 0, failed: 0, "timed-out": 0 };
  const outcomes: Record<string, number> = {};
  let due = 0;
  let slow = 0;
  const slowMs = order.hopeless?.slowMs ?? Number.POSITIVE_INFINITY;
  const mostSlow = order.hopeless?.mostSlow ?? Number.POSITIVE_INFINITY;
  const nowMs = () => performance.now();
  const connections = new Connections(target, {
    nowMs,
    onEnd: (id, outcome, label) => {
      outcomes[label] = (outcomes[label] ?? 0) + 1;
      loop.end(id, outcome, nowMs() - started);
    },
  });
  const { rate, arrivals: kind, durationMs, most } = order;
  const random = seededRandom(order.seed);
  const loop = new OpenLoop({
    intended: arrivals({ kind, rate, durationMs, most, random }),
    wire: connections,
    timeoutMs: target.timeoutMs,
    recorder: {
      late: (ms) => {
        due += 1;
        recordMs(lateness, ms);
      },
      ended: (outcome, { sinceIntendedMs, sinceSentMs }) => {
        counts[outcome] += 1;
        if (outcome === "timed-out") outcomes["timed out"] = (outcomes["timed out"] ?? 0) + 1;
        if (outcome !== "ok" || sinceIntendedMs > slowMs) slow += 1;
        // A failure that comes quickly must not make the service look quick.
        recordMs(
          latency,
          outcome === "failed" ? Math.max(sinceIntendedMs, target.timeoutMs) : sinceIntendedMs,
        );
        if (outcome === "ok" && sinceSentMs !== undefined) recordMs(service, sinceSentMs);
      },
    },
  });
  let gcMs = 0;
  const gc = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) gcMs = Math.max(gcMs, duration);
  });
  gc.observe({ entryTypes: ["gc"] });
  const started = nowMs();
  let lookedAt = 0;

  return new Promise((resolve) => {
    const finish = (end: LoadResult["end"]) => {
      const now = nowMs() - started;
      loop.abandon(now);
      connections.close();
      gc.disconnect();
      resolve({
        durationMs: Math.max(now, 1),
        due,
        ok: counts.ok,
        failed: counts.failed,
        timedOut: counts["timed-out"],
        outcomes,
        latency: encodeHistogram(latency),
        service: encodeHistogram(service),
        lateness: encodeHistogram(lateness),
        mostInFlight: loop.mostInFlight,
        gcMs,
        end,
      });
    };
    const step = () => {
      const now = nowMs() - started;
      loop.tick(now);
      if (signal.aborted) return finish("stopped");
      if (now - lookedAt > LOOK_MS) {
        lookedAt = now;
        if (slow + loop.olderThan(slowMs, now) > mostSlow) return finish("hopeless");
      }
      if (loop.next === undefined && loop.outstanding === 0) return finish("complete");
      const waitMs = loop.next === undefined ? IDLE_TICK_MS : Math.min(IDLE_TICK_MS, loop.next - now);
      if (waitMs > TIMER_SLACK_MS) setTimeout(step, waitMs - TIMER_SLACK_MS);
      else setImmediate(step);
    };
    step();
  });
}
