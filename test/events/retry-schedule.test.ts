import { describe, expect, it } from "vitest";
import { nextPauseMs, retryAfterMs } from "../../events/retry-schedule.ts";
import { HOUR, MINUTE, SECOND } from "./test-clock.ts";

describe("the retry schedule", () => {
  it.each([
    { attempts: 1, pause: 5 * SECOND },
    { attempts: 2, pause: 5 * MINUTE },
    { attempts: 3, pause: 30 * MINUTE },
    { attempts: 4, pause: 2 * HOUR },
    { attempts: 5, pause: 5 * HOUR },
    { attempts: 6, pause: 10 * HOUR },
    { attempts: 7, pause: 14 * HOUR },
    { attempts: 8, pause: 20 * HOUR },
    { attempts: 9, pause: 24 * HOUR },
    { attempts: 10, pause: undefined },
  ])("after $attempts attempts waits $pause ms", ({ attempts, pause }) => {
    expect(nextPauseMs({ attempts, random: 0 })).toBe(pause);
  });

  it("spreads retries by up to a fifth", () => {
    expect(nextPauseMs({ attempts: 1, random: 0.5 })).toBeCloseTo(5.5 * SECOND, 6);
  });

  it.each([
    { asked: 60 * SECOND, pause: 60 * SECOND, why: "a receiver may ask for more" },
    { asked: 1, pause: 5 * SECOND, why: "but not for less" },
    { asked: 90 * 24 * HOUR, pause: 24 * HOUR, why: "nor for ever" },
  ])("waits $pause ms when asked for $asked: $why", ({ asked, pause }) => {
    expect(nextPauseMs({ attempts: 1, random: 0, retryAfterMs: asked })).toBe(pause);
  });

  it.each([
    { header: "120", ms: 120_000 },
    { header: "Mon, 02 Mar 2026 08:00:30 GMT", ms: 30_000 },
    { header: "Mon, 02 Mar 2026 07:00:00 GMT", ms: 0 },
    { header: "soon", ms: undefined },
    { header: undefined, ms: undefined },
  ])("reads Retry-After: $header as $ms ms", ({ header, ms }) => {
    expect(retryAfterMs(header, new Date("2026-03-02T08:00:00Z"))).toBe(ms);
  });
});
