import type { Alert } from "../schema/alert.ts";
import type { Budget, ColumnResult, WindowResult } from "../schema/drift-result.ts";
import { type Figure, figures, inOneFigure, type MovedShare, movedMost, showNumber } from "./then-and-now.ts";

const FEATURES_SHOWN = 8;
const MOVES_SHOWN = 4;

/** What a message is for. */
export type Occasion = "fire" | "remind" | "resolve";

export interface FeatureStory {
  readonly name: string;
  readonly verdict: "drifted" | "quality" | "error";
  readonly cause: string | null;
  /** The evidence, in one or two sentences. */
  readonly evidence: string;
  /** The one figure that shows the change best; null where there is nothing to compare. */
  readonly telling: Figure | null;
  readonly figures: readonly Figure[];
  readonly moved: readonly MovedShare[];
}

interface Fact {
  readonly name: string;
  readonly value: string;
}

/** What a message says, before it is laid out as text or HTML. Names and causes come from users' data: lay out escaped. */
export interface AlertStory {
  readonly occasion: Occasion;
  readonly subject: string;
  readonly headline: string;
  readonly summary: string;
  /** What decides whether and by whom something is done. */
  readonly facts: readonly Fact[];
  /** What one may want to know beyond that. */
  readonly background: readonly Fact[];
  readonly features: readonly FeatureStory[];
  readonly featuresLeftOut: number;
  readonly link: string;
  /** A command that acknowledges the alert; null when there is nothing to acknowledge. */
  readonly acknowledge: string | null;
}

/** Tells an alert, with the window that led to the message. */
export function alertStory({
  alert,
  occasion,
  result,
  publicUrl,
}: {
  readonly alert: Alert;
  readonly occasion: Occasion;
  readonly result: WindowResult;
  readonly publicUrl: string;
}): AlertStory {
  const features = affected(result);
  const when = windowText(result.from, result.to);
  const tag = { fire: "", remind: "reminder: ", resolve: "resolved: " }[occasion];
  const head = `${alert.model}: ${alert.summary}${occasion === "resolve" ? ", over" : ""} in ${when}`;
  return {
    occasion,
    subject: oneLine(`[leeway] ${tag}${head} (${alert.monitor})`),
    headline: oneLine(head),
    summary: summaryOf(alert, occasion, result),
    facts: factsOf(alert),
    background: backgroundOf(alert, result),
    features: occasion === "resolve" ? [] : features.slice(0, FEATURES_SHOWN).map(featureStory),
    featuresLeftOut: occasion === "resolve" ? 0 : Math.max(0, features.length - FEATURES_SHOWN),
    link: driftLink(publicUrl, result),
    acknowledge:
      occasion === "resolve" || alert.state === "acknowledged"
        ? null
        : `curl -X POST ${publicUrl}/v1/alerts/${alert.id}/ack -H 'content-type: application/json' -d '{"by": "your name", "why": "what you know"}'`,
  };
}

/** Where the window's results are, in full. */
export function driftLink(publicUrl: string, { model, monitor, from, to }: WindowResult): string {
  const query = new URLSearchParams({ monitor, from, to });
  return `${publicUrl}/v1/models/${encodeURIComponent(model)}/drift?${query}`;
}

/** Columns that are not as in the baseline, the worst first: faults, then drift by effect, then failed checks. */
export function affected({ columns }: Pick<WindowResult, "columns">): ColumnResult[] {
  const rank = { quality: 0, drifted: 1, error: 2, stable: 3, "too-few": 3 } as const;
  return columns
    .filter(({ verdict }) => rank[verdict] < 3)
    .sort((a, b) => rank[a.verdict] - rank[b.verdict] || (b.effect ?? 0) - (a.effect ?? 0));
}

/** What is wrong in a window, in a few words: `2 features drifted`, `data fault in distance`. */
export function summaryOfWindow(result: WindowResult): string {
  const { verdict, drifted } = result.dataset;
  const faulty = result.columns.filter((column) => column.verdict === "quality").map(({ name }) => name);
  if (verdict === "quality") {
    const also = drifted > 0 ? ` (${count(drifted)} drifted with it)` : "";
    return faulty.length === 1
      ? `data fault in ${faulty[0]}${also}`
      : `data fault in ${count(faulty.length)}${also}`;
  }
  if (verdict === "drifted") return `${count(drifted)} drifted`;
  if (verdict === "error") return "the check failed";
  return verdict === "stable" ? "no drift" : "too few rows to tell";
}

function summaryOf(alert: Alert, occasion: Occasion, result: WindowResult): string {
  const since = timeText(alert.since);
  if (occasion === "resolve")
    return `What began with the window from ${since} is over: ${result.dataset.reason}.`;
  if (occasion === "remind")
    return `Still so since ${since}, and nobody has acknowledged it: ${result.dataset.reason}.`;
  return `${capital(result.dataset.reason)}.`;
}

function factsOf(alert: Alert): Fact[] {
  const facts = [
    { name: "Since", value: timeText(alert.since) },
    { name: "Severity", value: alert.severity },
    { name: "Owner", value: alert.owner ?? "nobody is named" },
  ];
  if (alert.acknowledged_by) facts.push({ name: "Acknowledged by", value: alert.acknowledged_by });
  return facts;
}

function backgroundOf(alert: Alert, result: WindowResult): Fact[] {
  return [
    { name: "Model", value: `${result.model}, version ${result.version}` },
    { name: "Monitor", value: result.monitor },
    { name: "Window", value: windowText(result.from, result.to) },
    { name: "Rows", value: showNumber(result.rows) },
    { name: "Rule", value: alert.rule },
    { name: "False alarms", value: budgetText(result.dataset.budget) },
  ];
}

function featureStory(column: ColumnResult): FeatureStory {
  const verdict = column.verdict === "quality" || column.verdict === "error" ? column.verdict : "drifted";
  const cause = column.cause && column.cause.kind !== "shift" ? column.cause.detail : null;
  return {
    name: column.name,
    verdict,
    cause,
    evidence: evidenceOf(column),
    telling: inOneFigure(column),
    figures: figures(column),
    moved: movedMost(column, MOVES_SHOWN),
  };
}

function evidenceOf({ verdict, effect, p_value, minimum_effect, reason }: ColumnResult): string {
  if (verdict !== "drifted" || effect === null) return `${capital(reason)}.`;
  const chance = p_value === null ? "" : ` By chance alone: p = ${pText(p_value)}.`;
  return `Moved by ${showNumber(effect)} on a scale from 0 (the same) to 1 (nothing in common); ${showNumber(minimum_effect)} is the least that matters.${chance}`;
}

function budgetText({ false_alarms, per_window }: Budget): string {
  const perTime = /^(.+)\/(.+)$/.exec(false_alarms);
  return perTime
    ? `held to ${perTime[1]} in ${perTime[2]}: ${showNumber(per_window)} per window without drift`
    : `held to ${showNumber(per_window)} per window without drift, over all columns`;
}

/** `2001-04-01` for a day, `2001-04-02 to 2001-04-08` for whole days, else with the time. */
export function windowText(from: string, to: string): string {
  const start = new Date(from);
  const end = new Date(to);
  if (isMidnight(start) && isMidnight(end)) {
    const last = new Date(end.getTime() - 1).toISOString().slice(0, 10); // half-open: the end is not in it
    const first = start.toISOString().slice(0, 10);
    return first === last ? first : `${first} to ${last}`;
  }
  const sameDay = start.toISOString().slice(0, 10) === end.toISOString().slice(0, 10);
  const until = sameDay ? end.toISOString().slice(11, 16) : timeText(to).replace(" UTC", "");
  return `${timeText(from).replace(" UTC", "")} to ${until} UTC`;
}

function timeText(time: string): string {
  const text = new Date(time).toISOString();
  return isMidnight(new Date(time)) ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 16)} UTC`;
}

function isMidnight(time: Date): boolean {
  return time.getTime() % 86_400_000 === 0;
}

function pText(p: number): string {
  return p < 1e-12 ? "under 1e-12" : String(Number(p.toPrecision(2)));
}

function count(features: number): string {
  return features === 1 ? "1 feature" : `${features} features`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, "");
}

/** Header fields are one line, and no control character may end them early. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").slice(0, 200);
}
