import type { WindowResult } from "../schema/drift-result.ts";
import { UNIT_FAULT } from "./fault.ts";
import type { Observed } from "./observed.ts";

/** Something the story says, and whether what was observed bears it out. */
export interface Claim {
  readonly says: string;
  readonly holds: "yes" | "no";
  /** What was seen instead. */
  readonly instead: string;
}

const FACTOR_TOLERANCE = 0.005;

/** Everything the story rests on. The demo ends with exit code 0 only when all of it holds. */
export function claimsOf(observed: Observed): Claim[] {
  const { days, weeks, decisions, runs, mails, calls, plans, answered, records, labels } = observed;
  const before = days.filter(({ to }) => Date.parse(to) <= UNIT_FAULT.from.getTime());
  const first = days.find(({ from }) => Date.parse(from) === UNIT_FAULT.from.getTime());
  const found = distanceIn(first);
  const named =
    found?.verdict === "quality" &&
    found.cause?.kind === "unit-change" &&
    Math.abs((found.cause.factor ?? 0) / UNIT_FAULT.kilometresPerMile - 1) < FACTOR_TOLERANCE;
  const noisy = before.filter((day) => distanceIn(day)?.verdict !== "stable");
  const mail = mails.find(({ subject, text }) => /distance/.test(subject) && /1\.609/.test(text));
  const asked = decisions.filter(({ action }) => action === "request");
  const early = asked.filter(({ window }) => Date.parse(window.to) <= UNIT_FAULT.to.getTime());
  const [run] = [...runs].sort((a, b) => (a.requested_at < b.requested_at ? -1 : 1));
  const [request] = asked;
  const drifted = weeks
    .find(({ from }) => Date.parse(from) === Date.parse(request?.window.from ?? ""))
    ?.columns.filter(({ verdict }) => verdict === "drifted");
  const better = runs.flatMap(({ reports }) => reports.flatMap((report) => report.version ?? []));
  const live = plans.filter(({ outcome }) => outcome !== "failed").map(({ kind }) => kind);
  const unanswered = Object.values(answered).reduce((sum, count) => sum - count, records.sent);
  return [
    claim(
      `distance is quiet in each of the ${before.length} days before the fault`,
      before.length > 0 && noisy.length === 0,
      `it is not on ${noisy.map(({ from }) => from.slice(0, 10)).join(", ") || "any day, as there was none"}`,
    ),
    claim(
      "the fault is found in its first daily window and named: distance, a unit change by 1.609",
      named && first?.dataset.verdict === "quality",
      found ? `that window says ${found.verdict}: ${found.reason}` : "that window was not checked",
    ),
    claim(
      "a mail told of it, with its cause",
      mail !== undefined,
      `${mails.length} mails came, none of them about it`,
    ),
    claim("the fault led to no retraining", early.length === 0, `it was asked for on ${early[0]?.window.to}`),
    claim(
      "lasting drift led to a request to retrain, with its reason",
      run !== undefined && run.reason !== "" && (drifted?.length ?? 0) > 0,
      run
        ? `the reason is "${run.reason}", and ${drifted?.length ?? 0} features drifted`
        : "nothing was asked for",
    ),
    claim(
      "the trainer reported the run as completed",
      run?.status === "completed",
      run ? `it is ${run.status}: ${run.reports.at(-1)?.message ?? "no word"}` : "there was no run",
    ),
    claim(
      better.length === 0
        ? "nothing better came of it, and the first model went on serving"
        : `version ${better.join(" and ")} was a canary, then had all calls`,
      better.every((version) => (answered[version] ?? 0) > 0) &&
        live.filter((kind) => kind === "promotion").length === better.length &&
        live.length === 1 + 2 * better.length,
      `the plans were ${live.toReversed().join(", ")}, and ${JSON.stringify(answered)} records were answered by version`,
    ),
    claim(
      `the deployment answered all of ${calls.made.toLocaleString("en-US")} calls, also while its version changed`,
      calls.made > 0 && calls.failed === 0,
      `${calls.failed} of them failed`,
    ),
    claim(
      "every record and every label that was sent is stored once",
      unanswered === 0 &&
        [records, labels].every(
          ({ sent, stored, rejected }) => sent > 0 && sent === stored && rejected === 0,
        ),
      `records ${JSON.stringify(records)}, of which ${unanswered} are not found, labels ${JSON.stringify(labels)}`,
    ),
  ];
}

function claim(says: string, holds: boolean, instead: string): Claim {
  return { says, holds: holds ? "yes" : "no", instead: holds ? "" : instead };
}

function distanceIn(result: WindowResult | undefined) {
  return result?.columns.find(({ name }) => name === "distance");
}
