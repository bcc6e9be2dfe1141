import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideScale, type LoadLook, QUIET_MS } from "../../deployer/decide-scale.ts";
import { LoadWatch, roomFor } from "../../deployer/replica/load-watch.ts";
import type { ReplicaState } from "../../deployer/replica/replica.ts";

const limits = { min: 1, max: 4, utilisation: 0.6 };

/** A look a second. */
function looksOf(replicas: number, ...busy: number[]): LoadLook[] {
  return busy.map((each, at) => ({ atMs: at * 1000, replicas, busy: each }));
}
const minuteOf = (replicas: number, busy: number) =>
  looksOf(replicas, ...Array.from({ length: QUIET_MS / 1000 + 1 }, () => busy));

describe("how many replicas", () => {
  it.each<[string, LoadLook[], Partial<typeof limits> & { readonly room?: number }, number, string, RegExp]>([
    ["nothing known", [], {}, 1, "keep", /nothing is known/],
    ["one busy second", looksOf(1, 0.1, 0.9), {}, 1, "keep", /busy 90 %/],
    ["two busy seconds", looksOf(1, 0.9, 0.9), {}, 2, "up", /busy 90 % of the time, 60 % is the target/],
    ["a little beyond the target", looksOf(2, 1.3, 1.3), {}, 2, "keep", /busy 65 %/],
    ["saturated: twice as many at most", looksOf(2, 2, 2), {}, 4, "up", /busy 100 %/],
    ["saturated at the most", looksOf(4, 4, 4), {}, 4, "keep", /4 is the most/],
    ["no memory", looksOf(2, 2, 2), { room: 0 }, 2, "keep", /no memory/],
    ["memory for one", looksOf(2, 2, 2), { room: 1 }, 3, "up", /busy 100 %/],
    ["quiet, but not for a minute", looksOf(3, 0.1, 0.1, 0.1), {}, 3, "keep", /busy 3 %/],
    ["quiet for a minute: one fewer", minuteOf(3, 0.1), {}, 2, "down", /2 would have been busy 5 %/],
    [
      "quiet but for one second",
      [...minuteOf(3, 0.1).slice(1), { atMs: 61_000, replicas: 3, busy: 1.2 }],
      {},
      3,
      "keep",
      /busy 40 %/,
    ],
    ["one fewer would be busy", minuteOf(2, 0.58), {}, 2, "keep", /busy 29 %/],
    ["quiet at the fewest", minuteOf(2, 0), { min: 2 }, 2, "keep", /busy 0 %/],
    ["fewer than the plan wants", looksOf(1, 0), { min: 3 }, 3, "up", /at least 3/],
    ["more than the plan wants", looksOf(5, 0), {}, 4, "down", /at most 4/],
  ])("%s", (_, looks, { room = 100, ...other }, replicas, action, reason) => {
    const decision = decideScale(looks, { ...limits, ...other }, room);
    expect(decision).toMatchObject({ replicas, action });
    expect(decision.reason).toMatch(reason);
  });

  it("settles under a steady load, between the limits, and goes up and down only once", () => {
    const load = fc.double({ min: 0, max: 8, noNaN: true });
    fc.assert(
      fc.property(
        load,
        fc.integer({ min: 1, max: 8 }),
        fc.double({ min: 0.2, max: 0.9, noNaN: true }),
        (all, start, utilisation) => {
          const between = { min: 1, max: 8, utilisation };
          let replicas = start;
          let looks: LoadLook[] = [];
          const directions: string[] = [];
          for (let second = 0; second < 700; second++) {
            looks = [...looks.slice(-61), { atMs: second * 1000, replicas, busy: Math.min(replicas, all) }];
            const decision = decideScale(looks, between, 100);
            if (decision.action === "keep") continue;
            expect(decision.replicas).toBeGreaterThanOrEqual(1);
            expect(decision.replicas).toBeLessThanOrEqual(8);
            if (directions.at(-1) !== decision.action) directions.push(decision.action);
            replicas = decision.replicas;
            looks = [];
          }
          expect(directions.length).toBeLessThanOrEqual(1);
          if (replicas < 8)
            expect(Math.min(replicas, all) / replicas).toBeLessThanOrEqual(utilisation * 1.1 + 1e-9);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("how busy replicas are", () => {
  const state = (pid: number, uptime: number, loop: number, run = 0, place: "inline" | "thread" = "inline") =>
    ({
      pid,
      uptime_seconds: uptime,
      loop_seconds: loop,
      resident_bytes: 100,
      versions: [{ version: "1", weight: 100, inference: { place } }],
      counts: { 1: { runSeconds: run } },
    }) as unknown as ReplicaState; // what is looked at of one

  it("is the share of the time that the loop, or the model in its thread, had work", () => {
    const watch = new LoadWatch();
    expect(watch.look([state(1, 10, 5), state(2, 10, 0, 0, "thread")], 0)).toEqual([]);
    const [look] = watch.look([state(1, 11, 5.5), state(2, 12, 0.1, 1.5, "thread")], 1_000);
    expect(look).toMatchObject({ replicas: 2, busy: 0.5 + 0.75 });
    // One that has said nothing new is as it was; one that is new is waited for.
    expect(watch.look([state(1, 12, 5.5), state(2, 12, 0.1, 1.5, "thread")], 2_000).at(-1)).toMatchObject({
      busy: 0.75,
    });
    expect(watch.look([state(1, 13, 6.5), state(3, 1, 1)], 3_000)).toEqual([]);
    expect(watch.look([state(1, 14, 7.5)], 4_000)).toEqual([{ atMs: 4_000, replicas: 1, busy: 1 }]);
  });

  it("leaves memory to others", () => {
    expect(roomFor([state(1, 1, 1)], 0)).toBe(0);
    expect(roomFor([state(1, 1, 1)], 256 * 1024 * 1024 + 250)).toBe(2);
  });
});
