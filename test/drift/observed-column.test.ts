import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergeObserved, nothingObserved, type ObservedColumn } from "../../drift/observed-column.ts";
import { type Cell, numericColumn, numericWindow, range, textColumn, textWindow } from "./columns.ts";

const baseline = numericColumn(range(200, (i) => (i * 37) % 101));
const cell = fc.oneof(
  fc.integer({ min: -50, max: 150 }),
  fc.constantFrom<Cell>(null, "text", Number.NaN, Number.POSITIVE_INFINITY),
);
const hours = fc.array(fc.array(cell, { maxLength: 8 }), { minLength: 1, maxLength: 8 });

function close(got: ObservedColumn, want: ObservedColumn): void {
  if (got.kind !== "numeric" || want.kind !== "numeric") throw new RangeError("numbers expected");
  const { mean, std, ...exact } = got;
  const { mean: wantedMean, std: wantedStd, ...wanted } = want;
  expect(exact).toEqual(wanted);
  for (const [value, wish] of [
    [mean, wantedMean],
    [std, wantedStd],
  ] as const) {
    if (wish === null) expect(value).toBeNull();
    else expect(value).toBeCloseTo(wish, 8);
  }
}

describe("merging what was observed", () => {
  it("hour by hour, in any order and any grouping, gives the whole", () => {
    fc.assert(
      fc.property(hours, fc.infiniteStream(fc.nat()), (parts, picks) => {
        const whole = numericWindow(baseline, parts.flat());
        const left: ObservedColumn[] = parts.map((part) => numericWindow(baseline, part));
        while (left.length > 1) {
          const [a] = left.splice((picks.next().value ?? 0) % left.length, 1);
          const [b] = left.splice((picks.next().value ?? 0) % left.length, 1);
          if (a && b) left.push(mergeObserved(a, b));
        }
        close(left[0] ?? nothingObserved(baseline), whole);
      }),
    );
  });

  it("categories add up in any order", () => {
    const words = fc.array(fc.constantFrom("a", "b", "c", null), { maxLength: 10 });
    fc.assert(
      fc.property(words, words, words, (a, b, c) => {
        const [x, y, z] = [textWindow(a), textWindow(b), textWindow(c)];
        const whole = textWindow([...a, ...b, ...c]);
        expect(mergeObserved(mergeObserved(x, y), z)).toEqual(whole);
        expect(mergeObserved(z, mergeObserved(y, x))).toEqual(whole);
      }),
    );
  });

  it("nothing is the neutral element, on either side", () => {
    const some = numericWindow(baseline, [1, 2, 3, null]);
    expect(mergeObserved(some, nothingObserved(baseline))).toEqual(some);
    expect(mergeObserved(nothingObserved(baseline), some)).toEqual(some);
    const text = textColumn(["a"]);
    expect(mergeObserved(nothingObserved(text), textWindow(["a"]))).toEqual(textWindow(["a"]));
  });

  it("a number and a word do not add up", () => {
    expect(() => mergeObserved(numericWindow(baseline, [1]), textWindow(["a"]))).toThrow(
      "one side is numeric, the other categorical",
    );
  });
});
