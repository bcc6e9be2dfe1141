import type { Alert, AlertRuleSpec } from "../schema/alert.ts";
import type { Verdict } from "../schema/drift-result.ts";
import { durationMs } from "../schema/duration.ts";

/** As much of a window as a decision needs. */
export interface JudgedWindow {
  readonly from: string;
  readonly to: string;
  readonly dataset: { readonly verdict: Verdict };
}

/** As much of the newest alert of the same rule and monitor. */
export type PreviousAlert = Pick<Alert, "state" | "last_notified_at">;

export type AlertAction = "fire" | "remind" | "resolve" | "none";

export type AlertReason =
  | "first"
  | "reminder-due"
  | "resolved"
  | "still-firing"
  | "acknowledged"
  | "cooling-down"
  | "not-yet-persistent"
  | "quiet"
  | "too-few-says-nothing"
  | "error-says-nothing"
  | "quality-says-nothing"
  | "superseded"
  | "disabled";

export interface AlertChoice {
  readonly action: AlertAction;
  readonly reason: AlertReason;
  /** In a few words: the numbers the reason rests on. */
  readonly detail: string;
}

type Meaning = "bad" | "good" | "nothing";

/**
 * What each verdict says to a rule. A window with too few rows, or whose check failed, says nothing about drift
 * or quality. One with a data-quality fault says nothing about drift either: the fault may hide it or cause it.
 */
const MEANING: Readonly<Record<AlertRuleSpec["on"], Readonly<Record<Verdict, Meaning>>>> = {
  drift: { drifted: "bad", stable: "good", quality: "nothing", "too-few": "nothing", error: "nothing" },
  quality: { quality: "bad", stable: "good", drifted: "good", "too-few": "nothing", error: "nothing" },
  error: { error: "bad", stable: "good", drifted: "good", quality: "good", "too-few": "nothing" },
};

/** What the window's verdict says to the rule. */
export function meaningOf(rule: Pick<AlertRuleSpec, "on">, { dataset }: JudgedWindow): Meaning {
  return MEANING[rule.on][dataset.verdict];
}

/**
 * Whether people are told of a window, and why (not).
 *
 * A rule fires when `windows` of the last `of_last` windows that say anything are bad, the newest among them. It
 * resolves when the newest is good and fewer than that are bad. In between a bad window reminds every `remind_every`,
 * unless somebody has acknowledged it.
 *
 * @param windows - Newest first; the first is the one just checked.
 * @param newestWindowTo - End of the newest window of the monitor: an older one (a backfill) changes nothing.
 * @param now - Clock time: reminders and cooldown are about people's patience, not about the windows' time.
 */
export function decideAlert({
  rule,
  previous,
  windows,
  newestWindowTo,
  now,
}: {
  readonly rule: AlertRuleSpec;
  readonly previous: PreviousAlert | undefined;
  readonly windows: readonly JudgedWindow[];
  readonly newestWindowTo: string | undefined;
  readonly now: Date;
}): AlertChoice {
  const [newest] = windows;
  if (!newest) throw new RangeError("decideAlert: no window");
  if (!rule.enabled) return none("disabled", "the rule is not enabled");
  if (newestWindowTo !== undefined && Date.parse(newest.to) < Date.parse(newestWindowTo))
    return none("superseded", `a window up to ${newestWindowTo} was checked before`);
  const meaning = meaningOf(rule, newest);
  if (meaning === "nothing") return none(SILENCE[newest.dataset.verdict], "the alert stays as it is");

  const telling = windows.filter((window) => meaningOf(rule, window) !== "nothing").slice(0, rule.of_last);
  const bad = telling.filter((window) => meaningOf(rule, window) === "bad").length;
  const tally = `${bad} of the last ${telling.length} windows; the rule asks for ${rule.windows} of ${rule.of_last}`;
  const holds = bad >= rule.windows;
  if (previous && previous.state !== "resolved") {
    if (meaning === "good" && !holds) return { action: "resolve", reason: "resolved", detail: tally };
    return whileFiring({ rule, previous, meaning, now, tally });
  }
  if (meaning === "good") return none("quiet", tally);
  if (!holds) return none("not-yet-persistent", tally);
  const coolsUntil = after(previous?.last_notified_at, rule.cooldown);
  if (coolsUntil !== undefined && now < coolsUntil)
    return none("cooling-down", `until ${coolsUntil.toISOString()}`);
  return { action: "fire", reason: "first", detail: tally };
}

const SILENCE: Readonly<Record<Verdict, AlertReason>> = {
  "too-few": "too-few-says-nothing",
  error: "error-says-nothing",
  quality: "quality-says-nothing",
  // These two mean something to every rule.
  stable: "quiet",
  drifted: "quiet",
};

function whileFiring({
  rule,
  previous,
  meaning,
  now,
  tally,
}: {
  readonly rule: AlertRuleSpec;
  readonly previous: PreviousAlert;
  readonly meaning: Meaning;
  readonly now: Date;
  readonly tally: string;
}): AlertChoice {
  if (previous.state === "acknowledged") return none("acknowledged", tally);
  const due = after(previous.last_notified_at, rule.remind_every);
  if (meaning === "bad" && due !== undefined && now >= due)
    return { action: "remind", reason: "reminder-due", detail: tally };
  return none("still-firing", tally);
}

function after(time: string | null | undefined, duration: string | undefined): Date | undefined {
  if (!time || duration === undefined) return undefined;
  return new Date(Date.parse(time) + durationMs(duration));
}

function none(reason: AlertReason, detail: string): AlertChoice {
  return { action: "none", reason, detail };
}
