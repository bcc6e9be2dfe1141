import { describe, expect, it } from "vitest";
import type { Observed } from "../../demo/observed.ts";
import { claimsOf } from "../../demo/truth.ts";
import type { ColumnResult, Verdict, WindowResult } from "../../schema/drift-result.ts";
import type { RetrainDecision, RetrainRun } from "../../schema/retrain.ts";

const DAY_MS = 86_400_000;

function column(name: string, verdict: Verdict, factor?: number): ColumnResult {
  return {
    name,
    type: "numeric",
    verdict,
    reason: `${name} is ${verdict}`,
    primary: null,
    p_value: null,
    effect: null,
    minimum_effect: 0.1,
    statistics: {},
    baseline: null,
    current: null,
    quality: [],
    calibration: null,
    cause: factor === undefined ? null : { kind: "unit-change", detail: "miles to kilometres", factor },
  };
}

function windowOf(from: string, days: number, called: ColumnResult): WindowResult {
  return {
    model: "flights",
    version: "1",
    monitor: days === 1 ? "daily" : "weekly",
    from: new Date(from).toISOString(),
    to: new Date(Date.parse(from) + days * DAY_MS).toISOString(),
    rows: 1_000,
    labelled: 1,
    dataset: {
      verdict: called.verdict,
      drifted: 0,
      checked: 1,
      reason: "",
      budget: {
        false_alarms: "0.01",
        per_window: 0.01,
        correction: "holm",
        selection: "benjamini-hochberg",
      },
    },
    columns: [called],
    computed_at: "2026-01-01T00:00:00Z",
  };
}

const decision: RetrainDecision = {
  policy: "flights",
  model: "flights",
  monitor: "weekly",
  window: { from: "2001-04-16T00:00:00.000Z", to: "2001-04-23T00:00:00.000Z" },
  action: "request",
  reason: "drift-persisted",
  detail: "2 of the last 3",
  run_id: "run",
  decided_at: "2026-01-01T00:00:00Z",
};
const run: RetrainRun = {
  id: "run",
  model: "flights",
  policy: "flights",
  status: "completed",
  reason: "2 of the last 3 windows drifted",
  requested_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
  data: { from: "", to: "" },
  drift: null,
  delivery: null,
  reports: [{ status: "completed", version: "2", at: "2026-01-01T00:00:00Z" }],
};
const plan = {
  why: null,
  created_at: "2026-01-01T00:00:00Z",
  error: null,
  versions: [],
  shadow: null,
  replicas: 1,
  rolled_back_to: null,
};
const plans: Observed["plans"] = [
  { ...plan, number: 3, kind: "promotion", outcome: "live" },
  { ...plan, number: 2, kind: "change", outcome: "replaced" },
  { ...plan, number: 1, kind: "start", outcome: "replaced" },
];
const counts = { sent: 9, stored: 9, duplicates: 0, rejected: 0 };
const truth: Observed = {
  days: [
    windowOf("2001-03-31", 1, column("distance", "stable")),
    windowOf("2001-04-01", 1, column("distance", "quality", 1.609)),
  ],
  weeks: [windowOf("2001-04-16", 7, column("hour", "drifted"))],
  decisions: [decision],
  runs: [run],
  mails: [{ to: ["on-call@example.org"], subject: "data fault in distance", text: "multiplied by 1.609" }],
  calls: { made: 3, failed: 0 },
  plans,
  answered: { 1: 7, 2: 2 },
  records: counts,
  labels: counts,
};

const early = { from: "2001-03-26T00:00:00.000Z", to: "2001-04-02T00:00:00.000Z" };

describe("what the demo claims", () => {
  it("holds for a story that is true", () => {
    expect(claimsOf(truth).map(({ holds }) => holds)).toEqual(Array(9).fill("yes"));
  });

  it.each<[string, number, Partial<Observed>]>([
    ["a noisy day before the fault", 0, { days: [windowOf("2001-03-31", 1, column("distance", "drifted"))] }],
    ["no day before the fault", 0, { days: truth.days.slice(1) }],
    ["another factor", 1, { days: [windowOf("2001-04-01", 1, column("distance", "quality", 1.7))] }],
    ["a fault called drift", 1, { days: [windowOf("2001-04-01", 1, column("distance", "drifted", 1.609))] }],
    [
      "a fault found a day late",
      1,
      { days: [windowOf("2001-04-02", 1, column("distance", "quality", 1.609))] },
    ],
    ["no mail", 2, { mails: [] }],
    ["a request because of the fault", 3, { decisions: [{ ...decision, window: early }] }],
    ["no request", 4, { runs: [] }],
    ["a request without drift", 4, { weeks: [windowOf("2001-04-16", 7, column("hour", "stable"))] }],
    ["a run that failed", 5, { runs: [{ ...run, status: "failed" }] }],
    ["a better version that got no call", 6, { answered: { 1: 9 } }],
    ["a better version that was not promoted", 6, { plans: plans.slice(1) }],
    ["a version that had all calls at once", 6, { plans: plans.toSpliced(1, 1) }],
    ["a call without an answer", 7, { calls: { made: 3, failed: 1 } }],
    ["a record that is not found", 8, { answered: { 1: 6, 2: 2 } }],
    ["a record that is not stored", 8, { records: { ...counts, stored: 8 } }],
    ["a label that was refused", 8, { labels: { ...counts, rejected: 1 } }],
    ["nothing sent", 8, { records: { ...counts, sent: 0, stored: 0 } }],
  ])("does not hold with %s", (_, claim, seen) => {
    expect(claimsOf({ ...truth, ...seen })[claim]?.holds).toBe("no");
  });
});
