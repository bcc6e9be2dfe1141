import { describe, expect, it } from "vitest";
import { budgetOf } from "../../drift/budget.ts";
import { driftedColumns, type JudgeOptions, judge } from "../../drift/judge.ts";
import type { MeasuredColumn } from "../../drift/measure-column.ts";
import { columnResult } from "../../schema/drift-result.ts";
import { type Cell, measuredNumbers, measuredTexts, range, times } from "./columns.ts";

const OPTIONS: JudgeOptions = { budget: budgetOf("0.01", undefined), minimumEffect: 0.1, minimumRows: 20 };
const spread = range(1_000, (i) => (i * 7) % 1_000);
const words = range(900).map((i) => ["red", "green", "blue"][i % 3] ?? "");

function call(column: MeasuredColumn, options: Partial<JudgeOptions> = {}) {
  const { columns, dataset } = judge([column], { ...OPTIONS, ...options });
  const [only] = columns;
  if (!only) throw new RangeError("one column in, one out");
  return { ...only, dataset };
}

describe("the verdict on a numeric column and its reason", () => {
  it.each<{ what: string; before?: readonly Cell[]; now: readonly Cell[]; verdict: string; reason: RegExp }>([
    {
      what: "the same values",
      now: spread,
      verdict: "stable",
      reason: /within what chance does at 1000 rows/,
    },
    {
      what: "a shift",
      now: spread.map((x) => x + 400),
      verdict: "drifted",
      reason: /^JS distance .*chance passes/,
    },
    { what: "no rows", now: [], verdict: "too-few", reason: /^the window has no rows$/ },
    { what: "one row", now: [5], verdict: "too-few", reason: /^1 row is too few: at least 20 are needed$/ },
    { what: "nineteen rows", now: range(19), verdict: "too-few", reason: /^19 rows are too few/ },
    { what: "all missing", now: times(100, null), verdict: "quality", reason: /100\.0 % missing, 0\.0 %/ },
    {
      what: "half missing",
      now: [...spread.slice(0, 500), ...times(500, null)],
      verdict: "quality",
      reason: /50\.0 % missing/,
    },
    {
      what: "a tenth infinite",
      now: [...spread.slice(0, 900), ...times(100, Number.POSITIVE_INFINITY)],
      verdict: "quality",
      reason: /10\.0 % are no finite number/,
    },
    {
      what: "words among numbers",
      now: [...spread.slice(0, 500), ...times(500, "n/a")],
      verdict: "quality",
      reason: /50\.0 % are no finite number/,
    },
    {
      what: "a stuck sensor",
      now: times(300, 500),
      verdict: "quality",
      reason: /every row holds the same value/,
    },
    {
      what: "a constant that stays",
      before: times(500, 3),
      now: times(100, 3),
      verdict: "stable",
      reason: /^one value only/,
    },
    {
      what: "a constant that moves",
      before: times(500, 3),
      now: times(100, 4),
      verdict: "drifted",
      reason: /on single values/,
    },
    {
      what: "nothing, then and now",
      before: times(50, null),
      now: times(50, null),
      verdict: "stable",
      reason: /^no value in the baseline, none now$/,
    },
    {
      what: "values where there were none",
      before: times(50, null),
      now: range(50),
      verdict: "quality",
      reason: /50 values now, the baseline has none/,
    },
    {
      what: "an empty baseline",
      before: [],
      now: range(50),
      verdict: "quality",
      reason: /the baseline has none/,
    },
  ])("$what: $verdict", ({ before = spread, now, verdict, reason }) => {
    const result = call(measuredNumbers(before, now));
    expect(result.verdict).toBe(verdict);
    expect(result.reason).toMatch(reason);
    expect(result.reason).not.toMatch(/\n|NaN|undefined|Infinity/);
    expect(columnResult.safeParse(result).error).toBeUndefined(); // finite numbers throughout
    expect(JSON.stringify(result)).not.toMatch(/"value":null/);
  });

  it("a change that is more than chance but too small to matter is stable, and says so", () => {
    const result = call(
      measuredNumbers(
        range(100_000),
        range(100_000, (i) => i + 1_500),
      ),
    );
    expect(result).toMatchObject({ verdict: "stable" });
    expect(result.reason).toMatch(/more than chance but below the least that matters, 0\.1/);
    expect(
      call(
        measuredNumbers(
          range(100_000),
          range(100_000, (i) => i + 1_500),
        ),
        { minimumEffect: 0 },
      ).verdict,
    ).toBe("drifted");
  });

  it("a found cause turns drift into a fault of the data", () => {
    const causes = new Map([["n", { kind: "unit-change", detail: "values look multiplied by 10" } as const]]);
    const measured = measuredNumbers(
      spread,
      spread.map((x) => 10 * x),
    );
    expect(driftedColumns([measured], OPTIONS)).toEqual(new Set(["n"]));
    expect(call(measured, { causes })).toMatchObject({
      verdict: "quality",
      reason: "data quality: values look multiplied by 10",
    });
    expect(call(measured)).toMatchObject({ verdict: "drifted", cause: { kind: "shift" } });
  });
});

describe("the verdict on a categorical column", () => {
  it.each<{
    what: string;
    before?: readonly (string | null)[];
    now: readonly (string | null)[];
    verdict: string;
  }>([
    { what: "the same shares", now: words.slice(0, 300), verdict: "stable" },
    { what: "other shares", now: times(300, "red"), verdict: "drifted" },
    { what: "only unseen categories", now: times(300, "mauve"), verdict: "drifted" },
    { what: "one category that stays", before: times(300, "a"), now: times(100, "a"), verdict: "stable" },
    {
      what: "one category that is another",
      before: times(300, "a"),
      now: times(100, "b"),
      verdict: "drifted",
    },
    { what: "all missing", now: times(100, null), verdict: "quality" },
    { what: "too few", now: ["red"], verdict: "too-few" },
    { what: "nothing", now: [], verdict: "too-few" },
  ])("$what: $verdict", ({ before = words, now, verdict }) => {
    const result = call(measuredTexts(before, now));
    expect(result.verdict).toBe(verdict);
    expect(columnResult.safeParse(result).error).toBeUndefined();
  });

  it("unseen categories are named as the cause", () => {
    const result = call(measuredTexts(words, times(300, "mauve")));
    expect(result.cause).toMatchObject({ kind: "new-categories" });
    expect(result.cause?.detail).toContain(
      '100.0 % in categories not listed in the baseline, such as "mauve"',
    );
  });
});

describe("the budget and the window", () => {
  // A shift that a column on its own would be called for at 1 %, and not among two hundred.
  const slight = () =>
    measuredNumbers(
      spread,
      range(250, (i) => (i * 4) ** 0.975 * 1.05),
      "slight",
    );
  const calm = (i: number) => measuredNumbers(spread, spread, `calm ${i}`);

  it("is divided: what is evidence alone is not among two hundred columns", () => {
    const p = slight().drift?.pValue ?? 1;
    const options = {
      ...OPTIONS,
      minimumEffect: 0,
      budget: budgetOf(String(Math.min(0.9, p * 2)), undefined),
    };
    expect(judge([slight()], options).dataset.verdict).toBe("drifted");
    expect(judge([slight(), ...range(199).map(calm)], options).dataset.verdict).toBe("stable");
  });

  it("says who drifted and what it was held to", () => {
    const moved = measuredNumbers(
      spread,
      spread.map((x) => x + 500),
      "speed",
    );
    const { dataset } = judge([moved, calm(1)], OPTIONS);
    expect(dataset).toMatchObject({
      verdict: "drifted",
      drifted: 1,
      checked: 2,
      reason: "speed drifted, held to a false-alarm rate of 0.01 per window over all columns",
    });
  });

  it("a fault of the data comes before drift, and drift is told", () => {
    const moved = measuredNumbers(
      spread,
      spread.map((x) => x + 500),
      "speed",
    );
    const gone = measuredNumbers(spread, times(100, null), "gps");
    const { dataset } = judge([moved, gone], OPTIONS);
    expect(dataset).toMatchObject({
      verdict: "quality",
      reason: "data-quality fault in gps; speed drifted too, perhaps in consequence",
    });
  });

  it("nothing to compare is an error, and all too few is too few", () => {
    expect(judge([], OPTIONS).dataset).toMatchObject({ verdict: "error", reason: "no column to compare" });
    expect(judge([measuredNumbers(spread, [1, 2])], OPTIONS).dataset.verdict).toBe("too-few");
  });
});
