import type {
  Budget,
  Cause,
  ColumnResult,
  DatasetResult,
  QualityCheck,
  StatisticResult,
  Verdict,
} from "../schema/drift-result.ts";
import { type BaselineColumn, isNumeric, usableRows } from "./baseline-column.ts";
import { hasBins } from "./binned.ts";
import { type MeasuredColumn, summaries } from "./measure-column.ts";
import { benjaminiHochberg, holm } from "./multiple-testing.ts";
import { calibrationOf } from "./null-distribution.ts";
import { effectiveRows } from "./observed-column.ts";
import { INCIDENT_CHECKS, LEAST_SHARE_GROWTH, qualityChecks } from "./quality.ts";
import { effectiveSize } from "./scaled-distance.ts";

/** A change that could hide below this Jensen–Shannon distance means the window is too small to tell anything. */
const BLIND_EFFECT = 0.7;

export interface JudgeOptions {
  readonly budget: Budget;
  /** Effect below which nothing is called drift. */
  readonly minimumEffect: number;
  /** Usable rows below which nothing is called at all. */
  readonly minimumRows: number;
  /** Causes found for columns that `driftedColumns` named; see `unitChange`. */
  readonly causes?: ReadonlyMap<string, Cause> | undefined;
}

export interface Judgement {
  readonly columns: ColumnResult[];
  readonly dataset: DatasetResult;
}

type Call = "drifted" | "not-drifted";

/**
 * Divides the budget over all tests of the window and calls the columns.
 *
 * The window is called when Holm's procedure rejects any test (probability of a false call at most the
 * budget, whatever the dependence); then the Benjamini–Hochberg list says which columns. A column is called
 * only when its effect is also at least the minimum.
 */
export function driftedColumns(
  measured: readonly MeasuredColumn[],
  options: JudgeOptions,
): ReadonlySet<string> {
  const { drift } = calls(measured, options);
  return new Set(measured.filter((_, i) => drift[i] === "drifted").map(({ pair }) => pair.baseline.name));
}

function calls(measured: readonly MeasuredColumn[], { budget, minimumEffect, minimumRows }: JudgeOptions) {
  const alpha = budget.per_window;
  const tests = measured.flatMap((column, i) => [
    ...(column.drift ? [{ column: i, kind: "drift" as const, evidence: column.drift }] : []),
    ...(column.missing ? [{ column: i, kind: "missing" as const, evidence: column.missing }] : []),
  ]);
  const pValues = tests.map(({ evidence }) => evidence.pValue);
  const familyWise = holm(pValues);
  const selected = benjaminiHochberg(pValues);
  const matters = ({ column, kind, evidence }: (typeof tests)[number]) => {
    const current = measured[column]?.pair.current;
    const baseline = measured[column]?.pair.baseline;
    if (!current || !baseline) return false;
    if (kind === "missing")
      return current.missing / current.rows - baseline.missing / baseline.rows >= LEAST_SHARE_GROWTH;
    return evidence.effect >= minimumEffect && effectiveRows(current) >= minimumRows;
  };
  const called = tests.some((test, i) => (familyWise[i] ?? 1) <= alpha && matters(test));
  const drift: Call[] = measured.map(() => "not-drifted");
  const missing: Call[] = measured.map(() => "not-drifted");
  tests.forEach((test, i) => {
    if (called && (selected[i] ?? 1) <= alpha && matters(test))
      (test.kind === "drift" ? drift : missing)[test.column] = "drifted";
  });
  return { drift, missing, tests: Math.max(1, tests.length) };
}

/**
 * The verdicts on all columns and on the window, each with its reason.
 *
 * @param others - Columns that could not be measured, with their verdicts.
 */
export function judge(
  measured: readonly MeasuredColumn[],
  options: JudgeOptions,
  others: readonly ColumnResult[] = [],
): Judgement {
  const { drift, missing, tests } = calls(measured, options);
  const columns = measured.map((column, i) =>
    columnResult(column, {
      drift: drift[i] ?? "not-drifted",
      missing: missing[i] ?? "not-drifted",
      alpha: options.budget.per_window / tests,
      options,
    }),
  );
  const all = [...columns, ...others];
  return { columns: all, dataset: judgeDataset(all, options.budget) };
}

function columnResult(
  column: MeasuredColumn,
  {
    drift,
    missing,
    alpha,
    options,
  }: { readonly drift: Call; readonly missing: Call; readonly alpha: number; readonly options: JudgeOptions },
): ColumnResult {
  const { baseline, current } = column.pair;
  const sides = summaries(column.pair);
  const quality = qualityChecks(baseline, current, {
    missingEvidence: missing === "drifted" ? "grown" : "as-before",
    stuck: drift === "drifted" && continuous(baseline) && !varies(sides.current) ? "stuck" : "varying",
  });
  const evidence = column.drift;
  const needed = evidence ? Math.max(evidence.effectAt(alpha), options.minimumEffect) : null;
  const cause = options.causes?.get(baseline.name) ?? null;
  const outcome = verdictOf({ column, quality, cause, drift, needed, alpha, options });
  return {
    name: baseline.name,
    type: baseline.type,
    ...outcome,
    primary: column.primary,
    p_value: evidence?.pValue ?? null,
    effect: evidence?.effect ?? null,
    minimum_effect: options.minimumEffect,
    statistics: withThresholds(column, alpha, needed),
    baseline: sides.baseline,
    current: sides.current,
    quality,
    calibration: evidence ? calibrationOf(evidence.null) : null,
    cause:
      outcome.verdict === "stable" || outcome.verdict === "too-few"
        ? null
        : (cause ?? likelyCause(quality, drift)),
  };
}

interface Outcome {
  readonly verdict: Verdict;
  readonly reason: string;
}

function verdictOf({
  column,
  quality,
  cause,
  drift,
  needed,
  alpha,
  options,
}: {
  readonly column: MeasuredColumn;
  readonly quality: readonly QualityCheck[];
  readonly cause: Cause | null;
  readonly drift: Call;
  readonly needed: number | null;
  readonly alpha: number;
  readonly options: JudgeOptions;
}): Outcome {
  const { baseline, current } = column.pair;
  const rows = Math.round(effectiveRows(current));
  const evidence = column.drift;
  const incident = quality.find(({ check, verdict }) => verdict === "quality" && INCIDENT_CHECKS.has(check));
  if (current.rows === 0) return { verdict: "too-few", reason: "the window has no rows" };
  if (incident) return { verdict: "quality", reason: `data quality: ${incident.reason ?? incident.check}` };
  if (usableRows(baseline) === 0) {
    return rows === 0
      ? { verdict: "stable", reason: "no value in the baseline, none now" }
      : {
          verdict: "quality",
          reason: `data quality: ${rows} values now, the baseline has none to compare with`,
        };
  }
  if (cause?.kind === "unit-change" && drift === "drifted")
    return { verdict: "quality", reason: `data quality: ${cause.detail}` };
  const few: Outcome = {
    verdict: "too-few",
    reason: `${rows} ${rows === 1 ? "row is" : "rows are"} too few: at least ${options.minimumRows} are needed`,
  };
  if (!evidence || needed === null) {
    return rows < options.minimumRows
      ? few
      : { verdict: "stable", reason: "one value only, in the baseline and now" };
  }
  const seen = `JS distance ${number(evidence.effect)}${column.primary === "ks" ? " on single values" : ""}`;
  if (drift === "drifted") {
    return {
      verdict: "drifted",
      reason: `${seen}: chance passes ${number(evidence.effectAt(alpha))} at ${rows} rows once in ${number(1 / alpha)} (p = ${number(evidence.pValue)}), and the least that matters is ${options.minimumEffect}`,
    };
  }
  if (rows < options.minimumRows) return few;
  const blind = evidence.effectAt(alpha);
  if (blind > BLIND_EFFECT) {
    return {
      verdict: "too-few",
      reason: `${rows} rows${worth(rows, evidence.null.design_effect)} are too few to tell: within the budget only a distance above ${number(Math.min(1, blind))} would be evidence`,
    };
  }
  const significant = evidence.effect >= blind;
  return {
    verdict: "stable",
    reason: significant
      ? `${seen} is more than chance but below the least that matters, ${options.minimumEffect}`
      : `${seen} is within what chance does at ${rows} rows (up to ${number(blind)})`,
  };
}

function judgeDataset(columns: readonly ColumnResult[], budget: Budget): DatasetResult {
  const named = (verdict: Verdict) =>
    columns.filter((column) => column.verdict === verdict).map(({ name }) => name);
  const drifted = named("drifted");
  const faulty = named("quality");
  const few = named("too-few");
  const failed = named("error");
  const held = `held to a false-alarm rate of ${number(budget.per_window)} per window over all columns`;
  const judged = columns.length - failed.length;
  const base = { drifted: drifted.length, checked: judged, budget };
  if (columns.length === 0) return { ...base, verdict: "error", reason: "no column to compare" };
  if (faulty.length > 0) {
    const also = drifted.length > 0 ? `; ${list(drifted)} drifted too, perhaps in consequence` : "";
    return { ...base, verdict: "quality", reason: `data-quality fault in ${list(faulty)}${also}` };
  }
  if (drifted.length > 0) return { ...base, verdict: "drifted", reason: `${list(drifted)} drifted, ${held}` };
  if (judged === 0)
    return { ...base, verdict: "error", reason: `no column could be compared: ${columns[0]?.reason ?? ""}` };
  if (few.length === judged)
    return {
      ...base,
      verdict: "too-few",
      reason: columns.find(({ verdict }) => verdict === "too-few")?.reason ?? "too few rows",
    };
  return { ...base, verdict: "stable", reason: `no drift in ${judged} columns, ${held}` };
}

/** Thresholds, at this window's size and its share of the budget, in each statistic's own scale. */
function withThresholds(
  column: MeasuredColumn,
  alpha: number,
  needed: number | null,
): Record<string, StatisticResult | null> {
  const { baseline, current } = column.pair;
  const evidence = column.drift;
  const critical = evidence ? 8 * Math.LN2 * evidence.effectAt(alpha) ** 2 : null; // T / n_e
  const bins = isNumeric(baseline) && hasBins(baseline);
  const effective = effectiveSize(effectiveRows(current), usableRows(baseline));
  const table: Record<string, StatisticResult | null> = {};
  for (const [name, result] of Object.entries(column.statistics)) {
    if (!result) {
      table[name] = null;
      continue;
    }
    const threshold =
      name === "jensen_shannon" && column.primary === name
        ? needed
        : name === "psi" && bins
          ? critical
          : name === "hellinger" && bins && critical !== null
            ? Math.sqrt(critical / 8)
            : name === "ks"
              ? Math.sqrt(Math.log(2 / alpha) / 2 / effective)
              : null;
    const p = name === "jensen_shannon" && column.primary === name ? evidence?.pValue : result.p_value;
    table[name] = {
      ...result,
      ...(p === undefined ? {} : { p_value: p }),
      ...(threshold === null ? {} : { threshold }),
    };
  }
  return table;
}

function likelyCause(quality: readonly QualityCheck[], drift: Call): Cause | null {
  const failed = (name: string) =>
    quality.find(({ check, verdict }) => check === name && verdict === "quality");
  for (const [check, kind] of [
    ["missing", "missing"],
    ["empty", "missing"],
    ["type_mismatch", "type-change"],
    ["constant", "constant"],
    ["new_categories", "new-categories"],
  ] as const) {
    const found = failed(check);
    if (found) return { kind, detail: found.reason ?? check };
  }
  return drift === "drifted"
    ? { kind: "shift", detail: "the distribution has changed; no simple fault explains it" }
    : null;
}

/** A column of many values: that it has one only is a stuck sensor, while a flag or a season may well rest. */
function continuous(baseline: BaselineColumn): boolean {
  return isNumeric(baseline) && baseline.edges.length > 5;
}

function varies(side: {
  readonly min?: number | null | undefined;
  readonly max?: number | null | undefined;
  readonly categories?: readonly unknown[] | undefined;
}): boolean {
  return side.categories ? side.categories.length > 1 : side.min !== side.max;
}

/** How many independent rows the window is worth where its rows resemble each other. */
function worth(rows: number, designEffect: number): string {
  return designEffect < 2
    ? ""
    : `, worth ${number(Math.max(1, Math.round(rows / designEffect)))} independent ones,`;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

/** A number as people read it: four digits. */
function number(value: number): string {
  return String(Number(value.toPrecision(value >= 1e4 ? 6 : 3)));
}
