import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arrivals } from "../../profiler/generator/arrivals.ts";
import { OpenLoop, type Outcome, type Wire } from "../../profiler/generator/open-loop.ts";
import { seededRandom } from "../../profiler/seeded-random.ts";

interface Ended {
  readonly outcome: Outcome;
  readonly sinceIntendedMs: number;
  readonly sinceSentMs?: number;
}

/** An open loop against a service in virtual time: one connection pool, answers at the time `answerAt` says. */
function play({
  intended,
  answerAt,
  timeoutMs = 10_000,
  connections = Number.POSITIVE_INFINITY,
  stepMs = 1,
}: {
  readonly intended: readonly number[];
  readonly answerAt: (sentMs: number) => number;
  readonly timeoutMs?: number;
  readonly connections?: number;
  readonly stepMs?: number;
}) {
  const ended: Ended[] = [];
  const late: number[] = [];
  const flying = new Map<number, number>();
  let now = 0;
  const wire: Wire = {
    send: (id) => {
      if (flying.size >= connections) return "busy";
      flying.set(id, answerAt(now));
      return "sent";
    },
    cancel: (id) => void flying.delete(id),
  };
  const loop = new OpenLoop({
    intended: intended.values(),
    wire,
    timeoutMs,
    recorder: {
      late: (ms) => late.push(ms),
      ended: (outcome, times) => ended.push({ outcome, ...times }),
    },
  });
  while (loop.next !== undefined || loop.outstanding > 0) {
    now += stepMs;
    for (const [id, at] of [...flying]) {
      if (at > now) continue;
      flying.delete(id);
      loop.end(id, "ok", now);
    }
    loop.tick(now);
    if (now > 1e6) throw new Error("never ends");
  }
  return { ended, late, mostInFlight: loop.mostInFlight };
}

const every10ms = Array.from({ length: 300 }, (_, i) => i * 10);
const percentile = (ended: readonly Ended[], p: number) =>
  ended.map(({ sinceIntendedMs }) => sinceIntendedMs).sort((a, b) => a - b)[
    Math.ceil((ended.length * p) / 100) - 1
  ] ?? 0;

describe("an open loop", () => {
  it("reads a constant service of 20 ms as 20 ms", () => {
    const { ended } = play({ intended: every10ms, answerAt: (sent) => sent + 20 });
    expect(percentile(ended, 50)).toBeGreaterThanOrEqual(20);
    expect(percentile(ended, 99)).toBeLessThanOrEqual(22);
  });

  it("shows a stall of one second in the tail: what should have been sent meanwhile counts from its time", () => {
    const stalled = (sent: number) => (sent >= 1_000 && sent < 2_000 ? 2_000 : sent) + 5;
    const { ended } = play({ intended: every10ms, answerAt: stalled, connections: 1 });
    expect(percentile(ended, 50)).toBeLessThan(600);
    expect(percentile(ended, 90)).toBeGreaterThan(700);
    expect(percentile(ended, 99)).toBeGreaterThan(950);
    const fromSending = ended.filter(({ sinceSentMs = 0 }) => sinceSentMs > 500);
    expect(fromSending.length).toBe(1); // what a closed loop would have seen
  });

  it("counts what never comes as timed out, with the whole time-out", () => {
    const { ended } = play({ intended: [0, 10], answerAt: () => Number.POSITIVE_INFINITY, timeoutMs: 100 });
    expect(ended.map(({ outcome, sinceIntendedMs }) => [outcome, sinceIntendedMs])).toEqual([
      ["timed-out", 100],
      ["timed-out", 100],
    ]);
  });

  it("counts a request that got no connection in time as timed out, never as sent", () => {
    const { ended } = play({
      intended: [0, 0],
      answerAt: (sent) => sent + 500,
      connections: 1,
      timeoutMs: 100,
    });
    expect(ended.every(({ outcome }) => outcome === "timed-out")).toBe(true);
    expect(ended.filter(({ sinceSentMs }) => sinceSentMs === undefined)).toHaveLength(1);
  });

  it("measures how late it is itself when it is not called in time", () => {
    const { late } = play({ intended: every10ms, answerAt: (sent) => sent + 1, stepMs: 25 });
    expect(Math.max(...late)).toBeGreaterThanOrEqual(15);
    expect(play({ intended: every10ms, answerAt: (sent) => sent + 1 }).late.every((ms) => ms <= 1)).toBe(
      true,
    );
  });

  it("ends every request exactly once, whatever the service does", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 20, max: 300 }),
        (times, serviceMs, connections, timeoutMs) => {
          const intended = times.sort((a, b) => a - b);
          const { ended } = play({ intended, answerAt: (sent) => sent + serviceMs, connections, timeoutMs });
          expect(ended).toHaveLength(intended.length);
          for (const { sinceIntendedMs, sinceSentMs = 0 } of ended) {
            expect(sinceIntendedMs).toBeLessThanOrEqual(timeoutMs + 1);
            expect(sinceSentMs).toBeLessThanOrEqual(sinceIntendedMs + 1e-9);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("arrivals", () => {
  const take = (kind: "poisson" | "constant", rate: number, seed = 1) => [
    ...arrivals({ kind, rate, durationMs: 20_000, most: 1e6, random: seededRandom(seed) }),
  ];

  it("come evenly when constant", () => {
    expect(take("constant", 100).slice(0, 4)).toEqual([0, 10, 20, 30]);
    expect(take("constant", 100)).toHaveLength(2_000);
  });

  it("come at random with the asked rate when independent: gaps as long as their spread", () => {
    const times = take("poisson", 500);
    expect(times.length).toBeGreaterThan(9_500);
    expect(times.length).toBeLessThan(10_500);
    const gaps = times.slice(1).map((at, i) => at - (times[i] as number));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const spread = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    expect(spread / mean).toBeGreaterThan(0.95);
    expect(spread / mean).toBeLessThan(1.05);
  });

  it("are the same for the same seed, ascending, and within the window", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 400 }), (seed, rate) => {
        const times = take("poisson", rate, seed);
        expect(take("poisson", rate, seed)).toEqual(times);
        expect(times.every((at, i) => at >= (times[i - 1] ?? 0) && at < 20_000)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("refuses a rate of 0", () => {
    expect(() => take("poisson", 0)).toThrow(RangeError);
  });
});
