import { setTimeout as sleep } from "node:timers/promises";
import type { DeploymentStatus } from "../schema/deployment.ts";
import type { WindowResult } from "../schema/drift-result.ts";
import type { RetrainDecision, RetrainRun } from "../schema/retrain.ts";
import { backgroundOf } from "./background.ts";
import { asFed, UNIT_FAULT } from "./fault.ts";
import type { FlightSource } from "./flights.ts";
import type { Inbox } from "./inbox.ts";
import type { Narrator } from "./narrator.ts";
import type { Observed } from "./observed.ts";
import { nothingSent, recordsStored, type ScoredFlight, scoreDay, sendLabels } from "./replay.ts";
import { ScoringClient } from "./scoring-client.ts";
import { DEPLOYMENT } from "./serving.ts";
import { DAILY, MODEL, POLICY, WEEKLY } from "./set-up.ts";
import type { Stage } from "./stage.ts";
import { calledColumns, dayOf, describe, keyOf, spanOf } from "./words.ts";

const DAY_MS = 86_400_000;
const MONDAY = 1;
/** How a flight ended is known two days after it left. */
const LABELS_LATE_DAYS = 2;
const MAIL_PATIENCE_MS = 20_000;
const RUN_PATIENCE_MS = 120_000;

/** Replays the flights of `[from, to)` in the order in which they happened, and tells what Leeway says of them. */
export async function replayStory({
  stage,
  flights,
  narrator,
  from,
  to,
  asked,
}: {
  readonly stage: Stage;
  readonly flights: FlightSource;
  readonly narrator: Narrator;
  readonly from: Date;
  readonly to: Date;
  /** To stop; what is told then is no story any more. */
  readonly asked: Promise<"stop">;
}): Promise<Observed> {
  const { leeway, serving, inbox } = stage;
  const client = new ScoringClient(stage.scoringUrl);
  let state: "telling" | "stopped" = "telling";
  void asked.then(() => {
    state = "stopped";
  });
  const days: WindowResult[] = [];
  const weeks: WindowResult[] = [];
  const records = nothingSent();
  const labels = nothingSent();
  const awaitingLabels: { readonly knownAt: Date; readonly flights: readonly ScoredFlight[] }[] = [];
  const mails = new MailReader(inbox, narrator);
  const progress = narrator.progress("Replaying", await flights.count(from, to));
  const check = async (monitor: string, start: Date, end: Date) => {
    const path = `/v1/models/${MODEL}/monitors/${monitor}/run`;
    const range = { from: start.toISOString(), to: end.toISOString() };
    return (await leeway.send<{ windows: WindowResult[] }>("POST", path, range)).windows;
  };
  const scoreOf = async (start: Date, end: Date) =>
    scoreDay(client, (await flights.between(start, end)).map(asFed), records);
  let ahead: Promise<ScoredFlight[]> | undefined;
  for (let day = from; day < to; day = new Date(day.getTime() + DAY_MS)) {
    const next = new Date(day.getTime() + DAY_MS);
    if (day.getTime() === UNIT_FAULT.from.getTime()) announceFault(narrator);
    const scored = await (ahead ?? scoreOf(day, next));
    ahead = undefined;
    awaitingLabels.push({ knownAt: new Date(next.getTime() + LABELS_LATE_DAYS * DAY_MS), flights: scored });
    while ((awaitingLabels[0]?.knownAt ?? to) <= next) {
      const known = awaitingLabels.shift();
      if (known) await sendLabels(leeway, known.flights, { ...known, counts: labels });
    }
    progress.update(records.sent, dayOf(day));
    await recordsStored(leeway, records);
    if (state !== "telling") throw new Error("the replay was stopped");
    if (mayGoAhead(next, to)) {
      ahead = scoreOf(next, new Date(next.getTime() + DAY_MS));
      ahead.catch(() => undefined); // it is awaited in the next round, if that comes
    }
    for (const result of await check(DAILY, day, next)) {
      tellDay(narrator, result, days.at(-1));
      days.push(result);
      if (result.dataset.verdict === "quality" && mails.read === 0) await mails.next();
    }
    mails.readNew();
    await serving.settle();
    if (next.getUTCDay() !== MONDAY) continue;
    for (const result of await check(WEEKLY, new Date(next.getTime() - 7 * DAY_MS), next)) {
      tellWeek(narrator, result, weeks.at(-1));
      weeks.push(result);
      await followDecision(stage, narrator, mails);
    }
  }
  for (const known of awaitingLabels) await sendLabels(leeway, known.flights, { ...known, counts: labels });
  progress.end();
  client.close();
  mails.readNew();
  const { decisions } = await leeway.json<{ decisions: RetrainDecision[] }>({
    path: `/v1/retrain-policies/${POLICY}/decisions?limit=500`,
  });
  const { runs } = await leeway.json<{ runs: RetrainRun[] }>({ path: `/v1/retrain-runs?model=${MODEL}` });
  const { plans } = await leeway.json<DeploymentStatus>({ path: `/v1/deployments/${DEPLOYMENT}` });
  return {
    days,
    weeks,
    decisions: decisions.toReversed(),
    runs,
    mails: inbox.mails,
    calls: client.calls,
    plans,
    answered: await answeredBy(leeway),
    records,
    labels,
  };
}

/**
 * Whether a day's flights may be scored while the day before is still being checked: not on the days on which another
 * version may begin to serve, Monday after the week's decision and Tuesday after the canary, nor before the fault is told.
 */
function mayGoAhead(day: Date, end: Date): boolean {
  const weekday = day.getUTCDay();
  return (
    day < end && weekday !== MONDAY && weekday !== MONDAY + 1 && day.getTime() !== UNIT_FAULT.from.getTime()
  );
}

/** Records by version, by the SQL that anybody may ask. */
async function answeredBy(leeway: Stage["leeway"]): Promise<Record<string, number>> {
  const sql = `select version, count(distinct (record_id, "row"))::double from ${MODEL} group by 1 order by 1`;
  const { rows } = await leeway.send<{ rows: [string, number][] }>("POST", "/v1/query", { sql });
  return Object.fromEntries(rows);
}

function announceFault(narrator: Narrator): void {
  const last = dayOf(new Date(UNIT_FAULT.to.getTime() - 1));
  narrator.say(
    `INJECTED BY THIS DEMO: until the end of ${last} the upstream feed hands distances on in kilometres, not miles. Leeway is not told.`,
    dayOf(UNIT_FAULT.from),
  );
}

/** Tells of a day only what is news: the first of a kind, and the return to normal. */
function tellDay(narrator: Narrator, result: WindowResult, before: WindowResult | undefined): void {
  const at = dayOf(result.from);
  if (before && keyOf(before) === keyOf(result) && before.version === result.version) return;
  const called = calledColumns(result);
  for (const column of called) narrator.say(describe(column), at);
  if (called.length === 0 && before && calledColumns(before).length > 0)
    narrator.say(`Quiet again: ${result.dataset.reason}.`, at);
  const background = backgroundOf(at);
  if (called.length > 0 && background) narrator.say(`(${background})`);
}

function tellWeek(narrator: Narrator, result: WindowResult, before: WindowResult | undefined): void {
  if (before && keyOf(before) === keyOf(result) && before.version === result.version) return;
  const span = spanOf(result.from, result.to);
  const called = calledColumns(result);
  if (called.length === 0) narrator.say(`${span} is quiet: ${result.dataset.reason}.`, "week");
  for (const column of called) narrator.say(`${span}: ${describe(column)}`, "week");
  const background = backgroundOf(span);
  if (called.length > 0 && background) narrator.say(`(${background})`);
}

/** What the policy made of the week just checked; when it asked for retraining, until that is done and the mail is there. */
async function followDecision(
  { leeway, ended }: Stage,
  narrator: Narrator,
  mails: MailReader,
): Promise<void> {
  const path = `/v1/retrain-policies/${POLICY}/decisions?limit=1`;
  const { decisions } = await leeway.json<{ decisions: RetrainDecision[] }>({ path });
  const [decision] = decisions;
  if (!decision || decision.reason === "quiet") return;
  narrator.say(
    decision.action === "request"
      ? `Leeway asks for retraining: ${decision.detail}.`
      : `No retraining (${decision.reason}): ${decision.detail}.`,
    "decision",
  );
  if (decision.run_id === null) return;
  const [run] = await Promise.race([Promise.all([runEnded(decision.run_id, leeway), mails.next()]), ended]);
  const last = run.reports.at(-1);
  narrator.say(`Run ${run.status}: ${last?.message ?? "nothing was reported"}.`, "trainer");
}

async function runEnded(id: string, leeway: Stage["leeway"]): Promise<RetrainRun> {
  const patience = performance.now() + RUN_PATIENCE_MS;
  for (;;) {
    const run = await leeway.json<RetrainRun>({ path: `/v1/retrain-runs/${id}` });
    if (run.status === "completed" || run.status === "failed" || performance.now() > patience) return run;
    await sleep(200);
  }
}

/** Reads the first mail out in full, and of later ones the subject. */
class MailReader {
  read = 0;
  readonly #inbox: Inbox;
  readonly #narrator: Narrator;
  constructor(inbox: Inbox, narrator: Narrator) {
    this.#inbox = inbox;
    this.#narrator = narrator;
  }

  /** Waits for the next mail: Leeway lets an alert settle for some seconds, in which the demo replays weeks. */
  async next(): Promise<void> {
    await this.#inbox.waitFor(() => this.#inbox.mails.length > this.read, MAIL_PATIENCE_MS);
  }

  readNew(): void {
    for (const { to, subject, text } of this.#inbox.mails.slice(this.read)) {
      this.#narrator.say(`A mail to ${to.join(", ")}: ${subject}`, "inbox");
      if (this.read === 0) this.#narrator.quote(text);
      this.read += 1;
    }
  }
}
