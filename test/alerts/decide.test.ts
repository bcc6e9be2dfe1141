import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideAlert, type JudgedWindow, type PreviousAlert } from "../../alerts/decide.ts";
import { type AlertRuleSpec, alertRuleSpec } from "../../schema/alert.ts";
import type { Verdict } from "../../schema/drift-result.ts";
import { DAY, HOUR, testClock } from "../events/test-clock.ts";

const clock = testClock();
const now = clock.now();
const VERDICTS: Readonly<Record<string, Verdict>> = {
  D: "drifted",
  s: "stable",
  Q: "quality",
  f: "too-few",
  E: "error",
};

/** Daily windows from a text such as `ssD`: one letter each, the newest last, as one reads time. */
function windows(letters: string): JudgedWindow[] {
  return [...letters]
    .map((letter, day) => ({
      from: new Date(Date.UTC(2026, 0, 1 + day)).toISOString(),
      to: new Date(Date.UTC(2026, 0, 2 + day)).toISOString(),
      dataset: { verdict: VERDICTS[letter] ?? "stable" },
    }))
    .toReversed();
}

function decide(
  letters: string,
  {
    previous,
    newestWindowTo,
    ...rule
  }: Partial<AlertRuleSpec> & { previous?: PreviousAlert; newestWindowTo?: string } = {},
) {
  return decideAlert({
    rule: alertRuleSpec.parse(rule),
    previous,
    windows: windows(letters),
    newestWindowTo,
    now,
  });
}

const ago = (milliseconds: number) => new Date(now.getTime() - milliseconds).toISOString();
const firing = (since = HOUR): PreviousAlert => ({ state: "firing", last_notified_at: ago(since) });
const acknowledged = (since = HOUR): PreviousAlert => ({
  state: "acknowledged",
  last_notified_at: ago(since),
});
const resolved = (since = HOUR): PreviousAlert => ({ state: "resolved", last_notified_at: ago(since) });

describe("an alert rule on drift, with nothing firing", () => {
  it.each([
    { seen: "s", action: "none", reason: "quiet" },
    { seen: "D", action: "fire", reason: "first" },
    { seen: "f", action: "none", reason: "too-few-says-nothing" },
    { seen: "E", action: "none", reason: "error-says-nothing" },
    { seen: "Q", action: "none", reason: "quality-says-nothing" },
    { seen: "DDs", action: "none", reason: "quiet" },
  ])("after $seen: $action, $reason", ({ seen, ...choice }) => {
    expect(decide(seen)).toMatchObject(choice);
  });

  it.each([
    { seen: "D", action: "none", reason: "not-yet-persistent" },
    { seen: "DsD", action: "fire", reason: "first" },
    { seen: "DssD", action: "none", reason: "not-yet-persistent" },
    { seen: "DfffD", action: "fire", reason: "first" },
    { seen: "DQED", action: "fire", reason: "first" },
  ])("that asks for 2 of 3, after $seen: $action, $reason", ({ seen, ...choice }) => {
    expect(decide(seen, { windows: 2, of_last: 3 })).toMatchObject(choice);
  });

  it("says what it counted", () => {
    expect(decide("sD", { windows: 2, of_last: 3 }).detail).toBe(
      "1 of the last 2 windows; the rule asks for 2 of 3",
    );
  });
});

describe("an alert rule with an alert firing", () => {
  it.each([
    { seen: "DD", previous: firing(), action: "none", reason: "still-firing" },
    { seen: "Ds", previous: firing(), action: "resolve", reason: "resolved" },
    { seen: "Df", previous: firing(), action: "none", reason: "too-few-says-nothing" },
    { seen: "DE", previous: firing(), action: "none", reason: "error-says-nothing" },
    { seen: "DQ", previous: firing(), action: "none", reason: "quality-says-nothing" },
    { seen: "DD", previous: firing(25 * HOUR), remind_every: "1d", action: "remind", reason: "reminder-due" },
    { seen: "DD", previous: firing(24 * HOUR), remind_every: "1d", action: "remind", reason: "reminder-due" },
    { seen: "DD", previous: firing(23 * HOUR), remind_every: "1d", action: "none", reason: "still-firing" },
    { seen: "DD", previous: firing(99 * DAY), action: "none", reason: "still-firing" },
    {
      seen: "DD",
      previous: acknowledged(99 * DAY),
      remind_every: "1d",
      action: "none",
      reason: "acknowledged",
    },
    { seen: "Ds", previous: acknowledged(), action: "resolve", reason: "resolved" },
  ] as const)("after $seen, $previous.state: $action, $reason", ({ seen, action, reason, ...given }) => {
    expect(decide(seen, given)).toMatchObject({ action, reason });
  });

  it.each([
    { seen: "DDs", action: "none", reason: "still-firing" }, // 2 of the last 3 are still bad
    { seen: "DDss", action: "resolve", reason: "resolved" },
    { seen: "DsfD", action: "none", reason: "still-firing" },
    { seen: "DDsfs", action: "resolve", reason: "resolved" },
  ])("that asks for 2 of 3, after $seen: $action, $reason", ({ seen, ...choice }) => {
    expect(decide(seen, { previous: firing(), windows: 2, of_last: 3 })).toMatchObject(choice);
  });

  it("does not remind of drift after a window that shows none", () => {
    const given = { previous: firing(9 * DAY), remind_every: "1d", windows: 2, of_last: 3 };
    expect(decide("DDs", given).reason).toBe("still-firing");
    expect(decide("DsD", given).reason).toBe("reminder-due");
  });
});

describe("after an alert has resolved", () => {
  it.each([
    { seen: "sD", previous: resolved(HOUR), cooldown: "6h", action: "none", reason: "cooling-down" },
    { seen: "sD", previous: resolved(6 * HOUR), cooldown: "6h", action: "fire", reason: "first" },
    { seen: "sD", previous: resolved(0), action: "fire", reason: "first" },
    { seen: "ss", previous: resolved(HOUR), cooldown: "6h", action: "none", reason: "quiet" },
  ] as const)("$seen with cooldown $cooldown: $action, $reason", ({ seen, action, reason, ...given }) => {
    expect(decide(seen, given)).toMatchObject({ action, reason });
  });
});

describe("a rule", () => {
  it.each([
    { on: "quality", seen: "Q", reason: "first" },
    { on: "quality", seen: "D", reason: "quiet" },
    { on: "quality", seen: "f", reason: "too-few-says-nothing" },
    { on: "quality", seen: "E", reason: "error-says-nothing" },
    { on: "error", seen: "E", reason: "first" },
    { on: "error", seen: "Q", reason: "quiet" },
    { on: "error", seen: "f", reason: "too-few-says-nothing" },
  ] as const)("on $on takes $seen for $reason", ({ on, seen, reason }) => {
    expect(decide(seen, { on }).reason).toBe(reason);
  });

  it("on quality resolves when drift takes the fault's place", () => {
    expect(decide("QD", { on: "quality", previous: firing() }).reason).toBe("resolved");
  });

  it("that is not enabled does nothing", () => {
    expect(decide("D", { enabled: false })).toMatchObject({ action: "none", reason: "disabled" });
  });

  it.each([
    { previous: undefined, seen: "D" },
    { previous: firing(), seen: "s" },
  ])("does nothing for a window older than one already checked", ({ seen, ...given }) => {
    const newer = { newestWindowTo: "2026-02-01T00:00:00Z" };
    expect(decide(seen, { ...newer, ...(given.previous ? { previous: given.previous } : {}) })).toMatchObject(
      {
        action: "none",
        reason: "superseded",
      },
    );
  });
});

describe("the law", () => {
  const letters = fc.string({ unit: fc.constantFrom("D", "s", "Q", "f", "E"), minLength: 1, maxLength: 40 });
  const persistence = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 5 }));

  it("fires only on a bad window, and resolves only on a good one", () => {
    fc.assert(
      fc.property(
        letters,
        persistence,
        fc.option(fc.constantFrom(firing(), resolved())),
        (seen, [k, more], previous) => {
          const rule = { windows: k, of_last: k + more, ...(previous ? { previous } : {}) };
          const { action } = decide(seen, rule);
          if (action === "fire") expect(seen.at(-1)).toBe("D");
          if (action === "resolve") expect(seen.at(-1)).toBe("s");
        },
      ),
    );
  });

  it("firing and resolving take turns, whatever the windows say", () => {
    fc.assert(
      fc.property(letters, persistence, (seen, [k, more]) => {
        let previous: PreviousAlert | undefined;
        for (let i = 1; i <= seen.length; i += 1) {
          const rule = { windows: k, of_last: k + more, ...(previous ? { previous } : {}) };
          const { action } = decide(seen.slice(0, i), rule);
          if (action === "fire") expect(previous?.state).not.toBe("firing");
          if (action === "resolve") expect(previous?.state).toBe("firing");
          if (action === "fire") previous = firing();
          if (action === "resolve") previous = resolved();
        }
      }),
    );
  });
});
