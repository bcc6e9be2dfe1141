import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countInBins, sturgesEdges } from "../../drift/presets/histograms.ts";
import { judgeColumnByPreset, judgeDatasetByPreset } from "../../drift/presets/judge-by-preset.ts";
import { byDistance, byPValue, type PresetColumn } from "../../drift/presets/preset.ts";
import { FOREIGN_PRESETS } from "../../drift/presets/presets.ts";
import type { ColumnResult, Verdict } from "../../schema/drift-result.ts";
import { presetName } from "../../schema/preset-name.ts";
import { categories, column, numbers, WHOLE } from "./preset-columns.ts";

const SHOWN = { baseline: { count: 0, missing: 0 }, current: { count: 0, missing: 0 } };
const { evidently, sagemaker } = FOREIGN_PRESETS;

const judge = (given: PresetColumn): ColumnResult => judgeColumnByPreset(evidently, given, SHOWN);

function columns(...verdicts: readonly Verdict[]): ColumnResult[] {
  const some = judge(column(numbers([1, 2]), numbers([1, 2])));
  return verdicts.map((verdict, i) => ({ ...some, name: `c${i}`, verdict }));
}

describe("a column by another tool's rule", () => {
  it.each([
    {
      before: [1, 2],
      now: [null, null],
      verdict: "quality",
      says: "no row holds a value that can be compared (Evidently stops",
    },
    {
      before: [null],
      now: [1, 2, 3],
      verdict: "quality",
      says: "3 values now, the baseline has none to compare with",
    },
    { before: [null], now: [null], verdict: "stable", says: "no value in the baseline, none now" },
    { before: [1, 2], now: [], verdict: "too-few", says: "the window has no rows" },
    {
      before: [1, 2, null, null],
      now: [1, 2, 2, Number.NaN],
      verdict: "stable",
      says: "missing or no finite value: 50 % of the baseline, 25 % now",
    },
  ])("of $before and $now is $verdict", ({ before, now, verdict, says }) => {
    const found = judge(column(numbers(before), numbers(now)));
    expect(found.verdict).toBe(verdict);
    expect(found.reason).toContain(says);
  });

  it("keeps the share of missing values as a check", () => {
    const found = judge(column(categories(["a", "b"]), categories(["a", "b", null, null])));
    expect(found.quality).toEqual([{ check: "missing", value: 0.5, baseline: 0, verdict: "stable" }]);
  });

  it("never writes a number as the limit that it is not", () => {
    const words = (value: string) => value;
    expect(byDistance("ks", {}, { value: 0.09999, limit: 0.1, reached: "at-least", words }).because).toBe(
      "0.09999, below 0.1",
    );
    expect(byDistance("ks", {}, { value: 0.1, limit: 0.1, reached: "at-least", words }).verdict).toBe(
      "drifted",
    );
    expect(byDistance("ks", {}, { value: 0.1, limit: 0.1, reached: "above", words }).verdict).toBe("stable");
    expect(byPValue("ks", {}, { pValue: 0.05, limit: 0.05, reached: "at-most", test: "test" }).verdict).toBe(
      "drifted",
    );
    expect(byPValue("ks", {}, { pValue: 0.05, limit: 0.05, reached: "below", test: "test" }).verdict).toBe(
      "stable",
    );
  });
});

describe("a data set by another tool's rule", () => {
  it.each([
    { of: columns("drifted", "stable", "stable"), preset: evidently, verdict: "stable", says: "1 of 3" },
    {
      of: columns("drifted", "stable", "error", "error"),
      preset: evidently,
      verdict: "drifted",
      says: "1 of 2",
    },
    {
      of: columns("drifted", "quality"),
      preset: evidently,
      verdict: "drifted",
      says: "data-quality fault in c1",
    },
    {
      of: columns("drifted", "stable", "stable", "quality"),
      preset: evidently,
      verdict: "quality",
      says: "data-quality fault in c3; by Evidently's rule: 1 of 3",
    },
    { of: columns("drifted", "stable", "stable"), preset: sagemaker, verdict: "drifted", says: "1 of 3" },
    { of: columns("too-few", "too-few"), preset: evidently, verdict: "too-few", says: "no rows" },
    { of: columns("error"), preset: evidently, verdict: "error", says: "no column could be compared" },
    { of: [], preset: evidently, verdict: "error", says: "no column to compare" },
  ])("$preset.tool: $verdict, $says", ({ of, preset, verdict, says }) => {
    const found = judgeDatasetByPreset(preset, of);
    expect(found).toMatchObject({ verdict, budget: null });
    expect(found.reason).toContain(says);
  });
});

describe("bins", () => {
  it("are no narrower than 1 for whole numbers (numpy 2.3: histogram_bin_edges([0, 1, 2, 3] * 100, 'sturges'))", () => {
    expect(sturgesEdges({ min: 0, max: 3, size: 400, storage: "whole" })).toEqual([0, 1, 2, 3]);
    expect(sturgesEdges({ min: 0, max: 3, size: 400, storage: "other" })).toHaveLength(11);
    expect(sturgesEdges({ min: 4, max: 4, size: 9, storage: "other" })).toEqual([3.5, 4.5]);
  });

  it("hold every value between the first edge and the last, once", () => {
    const values = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(values, (list) => {
        const sorted = Float64Array.from(list).sort();
        const [min = 0, max = 0] = [sorted[0], sorted.at(-1)];
        const counts = countInBins(sorted, sturgesEdges({ min, max, size: sorted.length, storage: "other" }));
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(list.length);
      }),
    );
  });
});

describe.each(presetName.options.filter((name) => name !== "leeway"))("the preset %s", (name) => {
  const value = fc.oneof(
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    fc.integer({ min: 0, max: 3 }),
    fc.constantFrom(null, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  );
  const side = fc.array(value, { maxLength: 40 });

  it("finds no drift between a baseline and itself, and never a number that is none", () => {
    fc.assert(
      fc.property(side, side, fc.boolean(), (before, now, whole) => {
        const preset = FOREIGN_PRESETS[name];
        const [baseline, current] = [numbers(before), numbers(now)];
        const more = { chunks: [baseline], ...(whole ? { storage: WHOLE } : {}) };
        const found = judgeColumnByPreset(preset, column(baseline, current, more), SHOWN);
        for (const result of Object.values(found.statistics)) {
          for (const number of [result?.value, result?.p_value, result?.threshold, result?.normalized])
            expect(Number.isFinite(number ?? 0)).toBe(true);
        }
        const finite = numbers(before.filter((each) => each !== null && Number.isFinite(each)));
        const same = judgeColumnByPreset(
          preset,
          column(finite, finite, { ...more, chunks: [finite] }),
          SHOWN,
        );
        expect(["stable", "too-few"]).toContain(same.verdict);
      }),
    );
  });
});
