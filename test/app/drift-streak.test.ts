import { describe, expect, it } from "vitest";
import { driftStreak } from "../../app/drift-streak.ts";
import type { Verdict } from "../../schema/drift-result.ts";

/** Days of January 2026, newest first: `d` drifted, `s` stable, `f` too few records, `q` a data fault. */
function days(letters: string) {
  const words: Readonly<Record<string, Verdict>> = { d: "drifted", s: "stable", f: "too-few", q: "quality" };
  return [...letters].map((letter, index) => ({
    from: `2026-01-${String(letters.length - index).padStart(2, "0")}T00:00:00.000Z`,
    dataset: {
      verdict: words[letter] ?? "error",
      drifted: letter === "d" ? 2 : 0,
      checked: 3,
      reason: "",
      budget: {
        false_alarms: "0.01",
        per_window: 0.01,
        correction: "holm" as const,
        selection: "benjamini-hochberg" as const,
      },
    },
  }));
}

describe("drifted windows in a row", () => {
  it.each([
    { newestFirst: "", windows: 0, since: null },
    { newestFirst: "s", windows: 0, since: null },
    { newestFirst: "sddd", windows: 0, since: null },
    { newestFirst: "d", windows: 1, since: "2026-01-01" },
    { newestFirst: "ddsd", windows: 2, since: "2026-01-03" },
    { newestFirst: "dfdds", windows: 3, since: "2026-01-02" },
    { newestFirst: "fdds", windows: 2, since: "2026-01-02" },
    { newestFirst: "dqd", windows: 1, since: "2026-01-03" },
  ])("$newestFirst: $windows since $since", ({ newestFirst, windows, since }) => {
    expect(driftStreak(days(newestFirst))).toEqual({ windows, sinceMs: since && Date.parse(since) });
  });
});
