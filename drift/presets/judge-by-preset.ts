import type { ComparedDataset } from "../../schema/compare-result.ts";
import type { ColumnResult, ColumnSummary, QualityCheck, Verdict } from "../../schema/drift-result.ts";
import { type Finding, type Preset, type PresetColumn, type Side, short, usableValues } from "./preset.ts";

/** What a preset's rules never ask: said beside every verdict. */
const NO_BUDGET = "no false-alarm budget is kept";

/** What the comparison of a column shows of both sides, as in every result. */
export interface Shown {
  readonly baseline: ColumnSummary;
  readonly current: ColumnSummary;
}

/**
 * A column's result by another tool's rule. What the tool cannot compare, or stops at, gets a verdict and a reason too.
 *
 * @param shown - Both sides in numbers.
 */
export function judgeColumnByPreset(preset: Preset, column: PresetColumn, shown: Shown): ColumnResult {
  const finding = withoutValues(preset, column) ?? withRule(preset, preset.judge(column));
  const { verdict, because, primary, statistics, distance, pValue } = finding;
  return {
    name: column.name,
    type: column.type,
    verdict,
    reason: `${because}${missingText(column)}`,
    primary,
    p_value: pValue,
    effect: distance?.value ?? null,
    minimum_effect: distance?.limit ?? 0,
    statistics: { ...statistics },
    baseline: shown.baseline,
    current: shown.current,
    quality: [missingCheck(column)],
    calibration: null,
    cause: null,
  };
}

/**
 * What the tool says of all columns together. Columns that it cannot compare do not count; a fault of the data in one of them
 * makes the whole a matter of data quality, unless the rule has called it drifted.
 *
 * @param columns - All columns of the window, those that only one side has included.
 */
export function judgeDatasetByPreset(preset: Preset, columns: readonly ColumnResult[]): ComparedDataset {
  const named = (...verdicts: readonly Verdict[]) =>
    columns.filter(({ verdict }) => verdicts.includes(verdict)).map(({ name }) => name);
  const drifted = named("drifted").length;
  const compared = drifted + named("stable").length;
  const faulty = named("quality");
  const counts = { drifted, checked: compared, budget: null };
  const few = named("too-few").length;
  if (columns.length === 0) return { ...counts, verdict: "error", reason: "no column to compare" };
  const call = preset.judgeDataset(drifted, compared);
  const fault = faulty.length > 0 ? `data-quality fault in ${list(faulty)}` : "";
  const rule = `by ${preset.tool}'s rule: ${call.because}; ${NO_BUDGET}`;
  if (compared > 0 && call.verdict === "drifted")
    return { ...counts, verdict: "drifted", reason: [rule, fault].filter((text) => text !== "").join("; ") };
  if (fault !== "") return { ...counts, verdict: "quality", reason: `${fault}; ${rule}` };
  if (compared > 0) return { ...counts, verdict: "stable", reason: rule };
  if (few > 0) return { ...counts, verdict: "too-few", reason: "the window has no rows" };
  return {
    ...counts,
    verdict: "error",
    reason: `no column could be compared: ${columns[0]?.reason ?? ""}`,
  };
}

function withRule(preset: Preset, finding: Finding): Finding {
  const rule = `by ${preset.tool}'s rule: ${finding.because}`;
  return { ...finding, because: finding.verdict === "error" ? rule : `${rule}; ${NO_BUDGET}` };
}

/** A side without a value cannot be compared, whatever the tool does with it. */
function withoutValues(preset: Preset, { baseline, current }: PresetColumn): Finding | undefined {
  const [before, now] = [usableValues(baseline), usableValues(current)];
  const finding = (verdict: Verdict, because: string): Finding => ({
    verdict,
    because,
    primary: null,
    statistics: {},
    distance: null,
    pValue: null,
  });
  if (current.rows === 0) return finding("too-few", "the window has no rows");
  if (before > 0 && now > 0) return undefined;
  if (before === 0 && now === 0) return finding("stable", "no value in the baseline, none now");
  const fault =
    before === 0
      ? `${now} values now, the baseline has none to compare with`
      : "no row holds a value that can be compared";
  return finding("quality", `data quality: ${fault} (${preset.onEmpty})`);
}

/** What tools leave out, most of them: the reason says how much it is. */
function missingText({ baseline, current }: PresetColumn): string {
  const left = (side: Side) => side.rows - usableValues(side);
  if (current.rows === 0 || left(baseline) + left(current) === 0) return "";
  return `; missing or no finite value: ${percent(left(baseline), baseline.rows)} of the baseline, ${percent(left(current), current.rows)} now`;
}

function missingCheck({ baseline, current }: PresetColumn): QualityCheck {
  return {
    check: "missing",
    value: current.rows > 0 ? current.missing / current.rows : 0,
    baseline: baseline.rows > 0 ? baseline.missing / baseline.rows : 0,
    verdict: "stable",
  };
}

function percent(part: number, whole: number): string {
  return `${whole > 0 ? short((100 * part) / whole) : 0} %`;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
