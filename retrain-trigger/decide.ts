import type { Verdict } from "../schema/drift-result.ts";
import { durationMs } from "../schema/duration.ts";
import type { RetrainDecisionReason, RetrainPolicySpec, RetrainStatus } from "../schema/retrain.ts";

/** As much of a window as a decision needs. */
export interface JudgedWindow {
  readonly from: string;
  readonly to: string;
  readonly dataset: { readonly verdict: Verdict };
}

/** The last run of the model, whoever asked for it. */
export interface LastRun {
  readonly id: string;
  readonly status: RetrainStatus;
  /** End of the window that led to it, in the windows' time. */
  readonly decidedFor: string;
  /** Since the last word on it, in clock time. */
  readonly silentMs: number;
}

export interface RetrainChoice {
  readonly action: "request" | "none";
  readonly reason: RetrainDecisionReason;
  /** In a few words: the numbers the reason rests on. */
  readonly detail: string;
}

/**
 * Whether to ask for retraining after a window, and why (not).
 *
 * It is asked for when `windows` of the last `of_last` windows drifted, the newest among them. Windows with too few
 * rows, or whose check failed, say nothing: they are passed over and not counted. A window with a data-quality
 * fault counts as not drifted, and while it is the newest nothing is asked for: a model is not taught a fault.
 *
 * The decision's time is the end of the newest window, so that a catch-up after downtime and a replay of the past
 * decide as if live. Only the silence of a trainer is measured by the clock: a run that nothing was heard of for
 * longer than the cooldown is regarded as dead.
 *
 * @param windows - Newest first; the first is the one just checked.
 * @param newestWindowTo - End of the newest window of the monitor: an older one (a backfill) changes nothing.
 */
export function decideRetrain({
  policy,
  windows,
  newestWindowTo,
  lastRun,
}: {
  readonly policy: RetrainPolicySpec;
  readonly windows: readonly JudgedWindow[];
  readonly newestWindowTo: string | undefined;
  readonly lastRun: LastRun | undefined;
}): RetrainChoice {
  const [newest] = windows;
  if (!newest) throw new RangeError("decideRetrain: no window");
  if (!policy.enabled) return none("disabled", "the policy is not enabled");
  if (newestWindowTo !== undefined && Date.parse(newest.to) < Date.parse(newestWindowTo))
    return none("superseded", `a window up to ${newestWindowTo} was checked before`);
  const { verdict } = newest.dataset;
  if (verdict === "quality") return none("data-quality", "the newest window has a data-quality fault");
  if (verdict === "too-few")
    return none("too-few-says-nothing", "the newest window has too few rows to tell");
  if (verdict === "error") return none("error-says-nothing", "the check of the newest window failed");

  const telling = windows.filter(
    ({ dataset }) => dataset.verdict !== "too-few" && dataset.verdict !== "error",
  );
  const looked = telling.slice(0, policy.of_last);
  const drifted = looked.filter(({ dataset }) => dataset.verdict === "drifted").length;
  const tally = `${drifted} of the last ${looked.length} windows drifted; the policy asks for ${policy.windows} of ${policy.of_last}`;
  if (verdict === "stable") return none("quiet", tally);
  if (drifted < policy.windows) return none("not-yet-persistent", tally);
  if (!lastRun) return { action: "request", reason: "drift-persisted", detail: tally };

  const cooldownMs = durationMs(policy.cooldown);
  const coolsUntil = new Date(Date.parse(lastRun.decidedFor) + cooldownMs);
  if (Date.parse(newest.to) < coolsUntil.getTime())
    return none("cooling-down", `until ${coolsUntil.toISOString()}, after run ${lastRun.id}`);
  const underWay = lastRun.status === "requested" || lastRun.status === "started";
  if (underWay && lastRun.silentMs <= cooldownMs)
    return none("run-in-progress", `run ${lastRun.id} is ${lastRun.status}`);
  const given = underWay ? `; nothing was heard of run ${lastRun.id} for longer than ${policy.cooldown}` : "";
  return { action: "request", reason: "drift-persisted", detail: `${tally}${given}` };
}

function none(reason: RetrainDecisionReason, detail: string): RetrainChoice {
  return { action: "none", reason, detail };
}
