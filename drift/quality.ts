import type { QualityCheck } from "../schema/drift-result.ts";
import { type BaselineColumn, isNumeric, usableRows } from "./baseline-column.ts";
import type { ObservedColumn } from "./observed-column.ts";

/** A share of missing or unusable values has to grow by this much before it is called a fault. */
export const LEAST_SHARE_GROWTH = 0.01;

/**
 * Data-quality checks of one column, apart from drift. Those on counts that need no statistics are decided
 * here; whether more values are missing than chance explains is decided with the other p-values of the
 * window and passed in.
 *
 * @param missingEvidence - Whether the missing share has grown beyond the budget of false alarms.
 * @param stuck - Whether the column is constant now, was not in the baseline, and that is beyond chance.
 */
export function qualityChecks(
  baseline: BaselineColumn,
  current: ObservedColumn,
  {
    missingEvidence,
    stuck,
  }: { readonly missingEvidence: "grown" | "as-before"; readonly stuck: "stuck" | "varying" },
): QualityCheck[] {
  const checks: QualityCheck[] = [];
  const rows = current.rows;
  const usable = usableRows(current);

  const missing = share(current.missing, rows);
  const missingBefore = share(baseline.missing, baseline.rows);
  checks.push(
    check(
      "missing",
      missing,
      missingBefore,
      missingEvidence === "grown",
      `${percent(missing)} missing, ${percent(missingBefore)} in the baseline`,
    ),
  );

  const unusable = share(current.unusable, rows);
  const unusableBefore = share(baseline.unusable, baseline.rows);
  checks.push(
    check(
      "type_mismatch",
      unusable,
      unusableBefore,
      unusable - unusableBefore >= LEAST_SHARE_GROWTH,
      `${percent(unusable)} are no finite ${isNumeric(baseline) ? "number" : "value of the column's type"}, ${percent(unusableBefore)} in the baseline`,
    ),
  );

  // Labels come late: that there are none yet is no fault.
  if (rows > 0 && usable === 0 && usableRows(baseline) > 0 && baseline.role !== "label") {
    checks.push(check("empty", 1, 0, true, "no row holds a value"));
  }
  if (stuck === "stuck") checks.push(check("constant", 1, 0, true, "every row holds the same value"));

  if (isNumeric(baseline) && current.kind === "numeric") {
    const outside = share(current.below + current.above, usable);
    // Of n rows from the same distribution, about 2 n / (m + 1) lie outside the range of m others.
    const expected = 2 / (usableRows(baseline) + 1);
    const limit = Math.max(LEAST_SHARE_GROWTH, 3 * expected);
    checks.push({
      ...check(
        "out_of_range",
        outside,
        0,
        outside > limit,
        `${percent(outside)} outside ${baseline.min} to ${baseline.max}`,
      ),
      threshold: limit,
    });
  }
  if (!isNumeric(baseline) && current.kind === "categorical") {
    const known = new Set(baseline.categories.map(({ category }) => category));
    const fresh = [...current.counts]
      .filter(([category]) => !known.has(category))
      .sort((a, b) => b[1] - a[1]);
    const unseen = share(
      Math.max(
        0,
        fresh.reduce((sum, [, count]) => sum + count, 0),
      ),
      usable,
    );
    const before = share(baseline.other, usableRows(baseline));
    const names = fresh.slice(0, 3).map(([category]) => JSON.stringify(category.slice(0, 60)));
    checks.push(
      check(
        "new_categories",
        unseen,
        before,
        unseen - before >= LEAST_SHARE_GROWTH,
        `${percent(unseen)} in categories not listed in the baseline, such as ${names.join(", ")}`,
      ),
    );
  }
  return checks;
}

/** Checks that make the whole column a data-quality incident; the others are told and leave the verdict to the drift test. */
export const INCIDENT_CHECKS: ReadonlySet<string> = new Set([
  "missing",
  "type_mismatch",
  "empty",
  "constant",
  "absent",
]);

function check(name: string, value: number, baseline: number, failed: boolean, reason: string): QualityCheck {
  return {
    check: name,
    value,
    baseline,
    verdict: failed ? "quality" : "stable",
    ...(failed ? { reason } : {}),
  };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/** `0.1234` as `12.3 %`. */
function percent(value: number): string {
  return `${(value * 100).toFixed(value !== 0 && value < 0.01 ? 2 : 1)} %`;
}
