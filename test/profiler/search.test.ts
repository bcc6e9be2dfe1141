import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cheapestCell } from "../../bench/profiler-truth-search.ts";
import {
  cpuSteps,
  memoryAfterKill,
  memoryFor,
  stepAbove,
  stepAtLeast,
  stepBelow,
} from "../../profiler/allocation.ts";
import { chooseBatch, chooseThreads, replicaCounts, threadCounts } from "../../profiler/choose-split.ts";
import { decideGrade, type GradeFacts } from "../../profiler/decide-grade.ts";
import { isClose, judgeWindow, latenessLimitMs, milliseconds } from "../../profiler/judge-window.ts";
import { encodeHistogram, newHistogram, recordMs } from "../../profiler/latency-histogram.ts";
import { bodiesBySize } from "../../profiler/payload-sizes.ts";
import { merge } from "../../profiler/probe.ts";
import { smallestStep } from "../../profiler/smallest-step.ts";
import { cpuToStart } from "../../profiler/start-up.ts";
import type { ProfileWindow } from "../../schema/profile.ts";
import { latencyObjectiveText } from "../../schema/profile.ts";

const MIB = 1024 * 1024;

describe("the smallest step that holds", () => {
  it("is found wherever it is and wherever the search begins, in few trials", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.nat(45),
        fc.integer({ min: -1, max: 40 }),
        fc.integer({ min: -1, max: 10 }),
        async (count, first, guess, low) => {
          const steps = Array.from({ length: count }, (_, i) => i);
          const tooSmall = Math.min(low, first - 1, count - 1);
          const tried: number[] = [];
          const { found, bounds } = await smallestStep({
            steps,
            guess,
            tooSmall,
            holds: async (step) => {
              tried.push(step);
              return step >= first ? "yes" : "no";
            },
          });
          expect(found).toBe(first < count ? first : undefined);
          expect(bounds).toBe("exact");
          expect(new Set(tried).size).toBe(tried.length); // nothing is tried twice
          expect(tried.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(count + 1)) + 3);
        },
      ),
    );
  });

  it("takes two trials when the guess is right", async () => {
    let tried = 0;
    const holds = async (step: number) => {
      tried += 1;
      return step >= 4 ? ("yes" as const) : ("no" as const);
    };
    expect((await smallestStep({ steps: [0, 1, 2, 3, 4, 5, 6], guess: 4, tooSmall: -1, holds })).found).toBe(
      4,
    );
    expect(tried).toBe(2);
  });

  it("gives what it knows when time is up", async () => {
    const answers = ["yes", "stop"] as const;
    let i = 0;
    const holds = async () => answers[i++] ?? "stop";
    expect(await smallestStep({ steps: [1, 2, 3], guess: 2, tooSmall: -1, holds })).toEqual({
      found: 3,
      bounds: "open",
    });
  });
});

describe("the cheapest cell of a grid", () => {
  it("is found by halves wherever it is, whatever single wild measurements say", async () => {
    const cells = Array.from({ length: 14 }, (_, i) => i + 1);
    for (let edge = 1; edge <= 15; edge += 1) {
      const measured = new Map<number, number>();
      const found = await cheapestCell({
        cells,
        timesAtEdge: 3,
        holds: async (cell) => {
          const times = (measured.get(cell) ?? 0) + 1;
          measured.set(cell, times);
          const truth = cell >= edge;
          return cell === edge && times === 1 ? !truth : truth;
        },
      });
      expect(found).toBe(edge === 15 ? undefined : edge);
      expect([...measured.values()].reduce((sum, times) => sum + times, 0)).toBeLessThan(14);
    }
  });
});

describe("threads", () => {
  const trial = (threads: number, replicas: number, max_rate: number, p50_ms = 1) =>
    ({ threads, replicas, batch_size: 1, max_rate, p50_ms, cpu_ms_per_request: 1 }) as const;

  it.each([
    ["the quickest split decides", [trial(1, 1, 100), trial(1, 2, 190), trial(2, 1, 120)], 1],
    ["more threads that pay are taken", [trial(1, 1, 100), trial(1, 2, 110), trial(2, 1, 180)], 2],
    ["fewer when more gain little", [trial(1, 1, 100), trial(2, 1, 109)], 1],
    ["too slow for a single caller is left out", [trial(1, 2, 300, 60), trial(2, 1, 100, 40)], 2],
    ["the least slow when all are", [trial(1, 2, 300, 90), trial(2, 1, 100, 70)], 2],
    ["nothing without trials", [], undefined],
  ])("%s", (_, trials, threads) => expect(chooseThreads(trials, 50)).toBe(threads));

  it.each([
    ["pays", 115, 10, 32],
    ["gains little", 109, 10, 1],
    ["keeps a single caller waiting too long", 200, 60, 1],
  ])("with instances of several requests in one run, when that %s", (_, rate, p50, size) =>
    expect(chooseBatch(trial(1, 1, 100), { ...trial(1, 1, rate, p50), batch_size: 32 }, 50)).toBe(size),
  );

  it("are tried by powers of two up to the cores", () => {
    expect([1, 2, 4, 6].map(threadCounts)).toEqual([[1], [1, 2], [1, 2, 4], [1, 2, 4, 6]]);
    expect([1, 2, 3, 4].map((threads) => replicaCounts(4, threads))).toEqual([[1, 4], [1, 2], [1], [1]]);
  });
});

describe("CPU to start with", () => {
  it.each([
    [{ cpu: 0.1, cpuSeconds: 0.5, withinMs: 60_000 }, 0.1],
    [{ cpu: 0.1, cpuSeconds: 6, withinMs: 60_000 }, 0.2],
    [{ cpu: 0.5, cpuSeconds: 6, withinMs: 60_000 }, 0.5],
    [{ cpu: 0.1, cpuSeconds: 10, withinMs: 4_000 }, 2],
  ])("%j is %d cores", (asked, cores) => expect(cpuToStart(cpuSteps(2), asked)).toBe(cores));
});

describe("bodies by size", () => {
  const of = (...sizes: number[]) => sizes.map((size) => new Uint8Array(size));
  it.each([
    [of(10, 12, 11), [10]],
    [of(10, 400, 20, 20), [10, 20, 400]],
    [of(400, 10, 10), [10, 400]],
    [of(0), [0]],
    [of(), []],
  ])("are the smallest, the one in the middle and the largest", (bodies, sizes) =>
    expect(bodiesBySize(bodies).map(({ length }) => length)).toEqual(sizes),
  );
});

describe("sizes", () => {
  it("grow by 0.1 below one core, by 0.25 below four, by 0.5 above", () => {
    expect(cpuSteps(2)).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2]);
    expect(cpuSteps(5).slice(-4)).toEqual([3.75, 4, 4.5, 5]);
  });

  it("have neighbours", () => {
    const steps = cpuSteps(2);
    expect(stepBelow(steps, 1.25)).toBe(1);
    expect(stepBelow(steps, 0.1)).toBeUndefined();
    expect(stepAbove(steps, 0.9)).toBe(1);
    expect(stepAbove(steps, 2)).toBeUndefined();
    expect(stepAtLeast(steps, 0.41)).toBe(0.5);
    expect(stepAtLeast(steps, 9)).toBe(2);
  });

  it.each([60, 200, 500])("of memory for %d MiB stay within 15 %% or 64 MiB, and leave room", (peak) => {
    const size = memoryFor(peak * MIB) / MIB;
    expect(size).toBeGreaterThan(peak + 20);
    expect(size).toBeLessThanOrEqual(Math.max(peak * 1.15, peak + 64));
    expect(memoryAfterKill(size * MIB) / MIB).toBeGreaterThanOrEqual(size + 32);
  });
});

const objective = { percentile: 99, latency_ms: 50 };

function window(latencies: readonly number[], more: Partial<ProfileWindow> = {}): ProfileWindow {
  const histogram = newHistogram();
  for (const ms of latencies) recordMs(histogram, ms);
  const at = (p: number) => histogram.getValueAtPercentile(p) / 1_000;
  return {
    phase: "allocation",
    started_s: 0,
    seconds: 5,
    load: "open",
    rate: latencies.length / 5,
    concurrency: null,
    cpu_limit: 0.5,
    memory_limit_bytes: null,
    requests: latencies.length,
    ok: latencies.length,
    failed: 0,
    timed_out: 0,
    outcomes: {},
    achieved_rate: latencies.length / 5,
    latency_ms: { mean: 0, p50: at(50), p90: at(90), p95: at(95), p99: at(99), p999: at(99.9), max: 0 },
    objective_ms: at(99),
    objective_interval_ms: [at(98), at(99.6)],
    service_p50_ms: at(50),
    lateness_p99_ms: 0.1,
    most_in_flight: 3,
    cpu_cores: 0.3,
    other_cores: 0,
    throttled_share: 0,
    held_peak_bytes: 0,
    file_bytes: 0,
    threads: 1,
    file_descriptors: 1,
    processes: 1,
    verdict: "not-judged",
    why: "",
    histogram: encodeHistogram(histogram),
    ...more,
  };
}

const quick = Array.from({ length: 1_000 }, (_, i) => 5 + i / 100);
const slow = quick.map((ms, i) => (i % 50 === 0 ? 200 : ms));

describe("a window", () => {
  const rule = { objective, errorBudget: 0.001, cores: 2 };
  it.each([
    ["that is quick enough", window(quick), "meets", "p99"],
    ["whose tail is too slow", window(slow), "misses", "above 50 ms"],
    [
      "with too many failures",
      window(quick, { failed: 2, ok: 998, outcomes: { "500": 2 } }),
      "misses",
      "500: 2",
    ],
    ["with a failure within the budget", window(quick, { failed: 1, ok: 999 }), "meets", "1 of 1000"],
    ["without a request", window([]), "misses", ""],
    ["that misses while the generator was late", window(slow, { lateness_p99_ms: 30 }), "disturbed", "late"],
    ["that meets although the generator was late", window(quick, { lateness_p99_ms: 30 }), "meets", ""],
    ["that misses on a busy machine", window(slow, { other_cores: 1.5 }), "disturbed", "other processes"],
    [
      "that misses with its CPU used up, whatever else went on",
      window(slow, { other_cores: 1.5, cpu_cores: 0.48 }),
      "misses",
      "above",
    ],
    ["that misses beside a little noise", window(slow, { other_cores: 0.1 }), "misses", ""],
    [
      "that was ended early",
      window(quick, { why: "ended early: the objective was out of reach", objective_ms: 90 }),
      "misses",
      "more than 1 %",
    ],
  ] as const)("%s:", (_, measured, verdict, why) => {
    const judged = judgeWindow(measured, rule);
    expect(judged.verdict).toBe(verdict);
    expect(judged.why).toContain(why);
  });

  it("is close when the objective lies within its interval", () => {
    expect(isClose(window(quick, { objective_interval_ms: [45, 55] }), objective)).toBe(true);
    expect(isClose(window(quick, { objective_interval_ms: [45, null] }), objective)).toBe(true);
    expect(isClose(window(quick, { objective_interval_ms: [14, 16] }), objective)).toBe(false);
  });

  it("may be late by a millisecond, or a twentieth of the objective", () => {
    expect(latenessLimitMs(window(quick), 10)).toBe(1);
    expect(latenessLimitMs(window(quick), 1_000)).toBe(50);
  });

  it("merged with another has the percentiles of both together, not their mean", () => {
    const both = merge(window(quick), window(quick.map(() => 500)), 99);
    expect(both.requests).toBe(2_000);
    expect(both.latency_ms.p50).toBeLessThan(20);
    expect(both.objective_ms).toBeGreaterThan(499);
  });
});

describe("the grade", () => {
  const best: GradeFacts = {
    mode: "full",
    targetKind: "command",
    limiter: "cgroup-v2",
    verified: "holds",
    headroom: "holds",
    below: "misses",
    replicas: 1,
    enoughRequests: true,
    close: false,
    disturbedWindows: 0,
    otherCores: 0,
    warmUp: "steady",
    leak: "none-seen",
    memoryKills: 0,
    rSquared: 0.99,
    budget: "kept",
    start: "tried",
    startRaisedFrom: undefined,
  };

  it("is A when nothing speaks against it, and says why", () => {
    expect(decideGrade(best)).toEqual({ grade: "A", reasons: [expect.stringContaining("verified")] });
  });

  it.each([
    [{ mode: "quick" }, "C", "quick"],
    [{ targetKind: "url", limiter: "none" }, "C", "elsewhere"],
    [{ limiter: "taskset" }, "B", "whole cores"],
    [{ limiter: "none" }, "B", "nothing could be limited"],
    [{ verified: "fails" }, "C", "not met"],
    [{ verified: "not-run" }, "C", "no verifying run"],
    [{ verified: "disturbed" }, "C", "too busy"],
    [{ headroom: "fails" }, "B", "1.2 times"],
    [{ below: "meets" }, "B", "smaller size may be enough"],
    [{ below: "not-run" }, "B", "not tried"],
    [{ below: "no-smaller" }, "A", "verified"],
    [{ replicas: 3 }, "B", "3 bear the whole rate"],
    [{ enoughRequests: false }, "B", "too few requests"],
    [{ close: true }, "B", "either way"],
    [{ disturbedWindows: 1 }, "B", "1 window was disturbed"],
    [{ otherCores: 0.6 }, "B", "0.6 cores"],
    [{ warmUp: "still-changing" }, "B", "warm-up"],
    [{ leak: "leak-suspected" }, "C", "grows with every request"],
    [{ memoryKills: 2 }, "B", "2 times"],
    [{ rSquared: 0.5 }, "B", "R² 0.50"],
    [{ budget: "used-up" }, "B", "budget"],
    [{ start: "calculated" }, "B", "calculated"],
    [{ startRaisedFrom: 0.2 }, "B", "0.2 cores only"],
  ] as const)("with %j is %s", (change, grade, reason) => {
    const decided = decideGrade({ ...best, ...change });
    expect(decided.grade).toBe(grade);
    expect(decided.reasons.join("; ")).toContain(reason);
  });
});

it.each([
  ["p99=50ms", { percentile: 99, latency_ms: 50 }],
  ["p99.9=1.5s", { percentile: 99.9, latency_ms: 1_500 }],
  ["p50=2ms", { percentile: 50, latency_ms: 2 }],
])("an objective is written %s", (text, parsed) => expect(latencyObjectiveText.parse(text)).toEqual(parsed));

it.each(["p100=5ms", "99=5ms", "p99=5", "p99=0ms", "p0=5ms", "p99=-1ms"])("%s is no objective", (text) =>
  expect(latencyObjectiveText.safeParse(text).success).toBe(false),
);

it.each([
  [0.1234, "0.123 ms"],
  [12.345, "12.3 ms"],
  [123.4, "123 ms"],
  [12_345, "12.3 s"],
])("%d ms reads %s", (ms, text) => expect(milliseconds(ms)).toBe(text));
