import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideRetrain, type JudgedWindow, type LastRun } from "../../retrain-trigger/decide.ts";
import type { Verdict } from "../../schema/drift-result.ts";
import { type RetrainPolicySpec, retrainPolicySpec } from "../../schema/retrain.ts";
import { DAY, HOUR } from "../events/test-clock.ts";

const policy = (more: Partial<RetrainPolicySpec> = {}) =>
  retrainPolicySpec.parse({
    model: "flights",
    monitor: "daily",
    windows: 2,
    of_last: 3,
    cooldown: "7d",
    target: { type: "webhook", url: "http://trainer.example.org" },
    ...more,
  });
const day = (n: number) => new Date(Date.UTC(2001, 3, n)).toISOString();

/** Daily windows by their verdicts, oldest first, the last one ending on the 11th. */
function windows(...verdicts: readonly Verdict[]): JudgedWindow[] {
  return verdicts
    .toReversed()
    .map((verdict, ago) => ({ from: day(10 - ago), to: day(11 - ago), dataset: { verdict } }));
}

const run = (more: Partial<LastRun> = {}): LastRun => ({
  id: "run-1",
  status: "completed",
  decidedFor: day(1),
  silentMs: 0,
  ...more,
});
const decide = (
  verdicts: readonly Verdict[],
  { lastRun, ...more }: Partial<RetrainPolicySpec> & { readonly lastRun?: LastRun } = {},
) =>
  decideRetrain({
    policy: policy(more),
    windows: windows(...verdicts),
    newestWindowTo: day(11),
    lastRun,
  });

describe("two of the last three windows", () => {
  it.each<{ verdicts: Verdict[]; reason: string; detail: string }>([
    { verdicts: ["stable"], reason: "quiet", detail: "0 of the last 1 windows drifted" },
    { verdicts: ["drifted"], reason: "not-yet-persistent", detail: "1 of the last 1 windows drifted" },
    {
      verdicts: ["drifted", "drifted"],
      reason: "drift-persisted",
      detail: "2 of the last 2 windows drifted",
    },
    { verdicts: ["drifted", "stable", "drifted"], reason: "drift-persisted", detail: "2 of the last 3" },
    {
      verdicts: ["drifted", "stable", "stable", "drifted"],
      reason: "not-yet-persistent",
      detail: "1 of the last 3",
    },
    { verdicts: ["drifted", "drifted", "stable"], reason: "quiet", detail: "2 of the last 3" },
    { verdicts: ["drifted", "too-few", "drifted"], reason: "drift-persisted", detail: "2 of the last 2" },
    {
      verdicts: ["drifted", "error", "error", "drifted"],
      reason: "drift-persisted",
      detail: "2 of the last 2",
    },
    { verdicts: ["drifted", "quality", "drifted"], reason: "drift-persisted", detail: "2 of the last 3" },
    { verdicts: ["quality", "quality", "drifted"], reason: "not-yet-persistent", detail: "1 of the last 3" },
    { verdicts: ["drifted", "drifted", "quality"], reason: "data-quality", detail: "data-quality fault" },
    { verdicts: ["drifted", "drifted", "too-few"], reason: "too-few-says-nothing", detail: "too few rows" },
    { verdicts: ["drifted", "drifted", "error"], reason: "error-says-nothing", detail: "failed" },
  ])("$verdicts: $reason", ({ verdicts, reason, detail }) => {
    const choice = decide(verdicts);
    expect(choice).toMatchObject({
      action: reason === "drift-persisted" ? "request" : "none",
      reason,
      detail: expect.stringContaining(detail),
    });
  });
});

describe("a model that was retrained", () => {
  const DRIFT = ["drifted", "drifted"] as const;
  it.each<{ after: string; lastRun: LastRun; reason: string; detail: string }>([
    {
      after: "six days",
      lastRun: run({ decidedFor: day(5) }),
      reason: "cooling-down",
      detail: "until 2001-04-12T00:00:00.000Z, after run run-1",
    },
    {
      after: "seven days to the hour",
      lastRun: run({ decidedFor: day(4) }),
      reason: "drift-persisted",
      detail: "2 of the last 2",
    },
    {
      after: "six days, though it failed",
      lastRun: run({ decidedFor: day(5), status: "failed" }),
      reason: "cooling-down",
      detail: "until",
    },
    {
      after: "ten days, and is still asked for",
      lastRun: run({ status: "requested", silentMs: 7 * DAY }),
      reason: "run-in-progress",
      detail: "run run-1 is requested",
    },
    {
      after: "ten days, and is still at it",
      lastRun: run({ status: "started", silentMs: HOUR }),
      reason: "run-in-progress",
      detail: "run run-1 is started",
    },
    {
      after: "ten days, with a trainer that fell silent",
      lastRun: run({ status: "started", silentMs: 7 * DAY + 1 }),
      reason: "drift-persisted",
      detail: "nothing was heard of run run-1 for longer than 7d",
    },
  ])("$after: $reason", ({ lastRun, reason, detail }) => {
    expect(decide(DRIFT, { lastRun })).toMatchObject({ reason, detail: expect.stringContaining(detail) });
  });
});

describe("a decision", () => {
  it("is none while the policy is disabled", () => {
    expect(decide(["drifted", "drifted"], { enabled: false })).toMatchObject({
      action: "none",
      reason: "disabled",
    });
  });

  it("is none for a window of the past", () => {
    const choice = decideRetrain({
      policy: policy(),
      windows: windows("drifted", "drifted"),
      newestWindowTo: day(12),
      lastRun: undefined,
    });
    expect(choice).toMatchObject({ action: "none", reason: "superseded" });
  });

  it("cannot be made of no window", () => {
    expect(() => decide([])).toThrow(RangeError);
  });

  const verdict = fc.constantFrom<Verdict>("drifted", "stable", "quality", "too-few", "error");
  it("asks only when the newest window drifted, and so did enough of those that count", () => {
    fc.assert(
      fc.property(
        fc.array(verdict, { minLength: 1, maxLength: 12 }),
        fc.nat(4),
        fc.nat(4),
        (verdicts, k, more) => {
          const [wanted, ofLast] = [k + 1, k + 1 + more];
          const { action } = decide(verdicts, { windows: wanted, of_last: ofLast });
          const counted = verdicts.filter((said) => said !== "too-few" && said !== "error").slice(-ofLast);
          const enough = counted.filter((said) => said === "drifted").length >= wanted;
          expect(action).toBe(verdicts.at(-1) === "drifted" && enough ? "request" : "none");
        },
      ),
    );
  });

  it("never asks twice within the cooldown, whatever the windows say", () => {
    fc.assert(
      fc.property(
        fc.array(verdict, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        (verdicts, days) => {
          let lastRun: LastRun | undefined;
          for (const [i] of verdicts.entries()) {
            const seen = verdicts.slice(0, i + 1).toReversed();
            const choice = decideRetrain({
              policy: policy({ windows: 1, of_last: 1, cooldown: `${days}d` }),
              windows: seen.map((said, ago) => ({
                from: day(i - ago),
                to: day(i + 1 - ago),
                dataset: { verdict: said },
              })),
              newestWindowTo: undefined,
              lastRun,
            });
            if (choice.action === "none") continue;
            const to = day(i + 1);
            if (lastRun)
              expect(Date.parse(to) - Date.parse(lastRun.decidedFor)).toBeGreaterThanOrEqual(days * DAY);
            lastRun = run({ decidedFor: to });
          }
        },
      ),
    );
  });
});
