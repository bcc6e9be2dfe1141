import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateScores } from "../../demo/evaluate.ts";
import { type LabelledFlight, scoreFlight, solvePositiveDefinite, trainModel } from "../../demo/model.ts";
import { seededRandom } from "../../drift/distributions/random.ts";

const HOURS = { "06h": -1, "12h": 0, "18h": 1.5 };

/** Flights that are late by a known rule: the log odds are -1, the hour's weight, and 0.4 per thousand miles. */
function flightsOf(count: number, seed: number): LabelledFlight[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const hour = Object.keys(HOURS)[Math.floor(random() * 3)] as keyof typeof HOURS;
    const distance = Math.floor(random() * 3_000);
    const logit = -1 + HOURS[hour] + (0.4 * distance) / 1_000;
    const inputs = { hour, weekday: "Mon", distance, origin: "ORD", destination: "LGA" };
    return { inputs, late: random() < 1 / (1 + Math.exp(-logit)) };
  });
}

describe("the demo's model", () => {
  it("finds the rule the flights were made by", () => {
    const model = trainModel(flightsOf(60_000, 1));
    expect(model.distance).toBeCloseTo(0.4, 1);
    const weight = (hour: string) => model.categories[`hour=${hour}`] ?? Number.NaN;
    expect(weight("18h") - weight("06h")).toBeCloseTo(2.5, 1);
    const { inputs } = flightsOf(1, 2)[0] ?? { inputs: undefined };
    const odds = -1 + HOURS[inputs?.hour as keyof typeof HOURS] + (0.4 * (inputs?.distance ?? 0)) / 1_000;
    if (inputs) expect(scoreFlight(model, inputs)).toBeCloseTo(1 / (1 + Math.exp(-odds)), 1);
  });

  it("goes on from what it knew: what is too rare now keeps its weight", () => {
    const first = trainModel(flightsOf(20_000, 3));
    const later = trainModel(
      flightsOf(5_000, 4).filter(({ inputs }) => inputs.hour !== "18h"),
      first,
    );
    expect(later.categories["hour=18h"]).toBe(first.categories["hour=18h"]);
  });

  it("needs both outcomes", () => {
    const late = flightsOf(100, 5).map((flight) => ({ ...flight, late: true }));
    expect(() => trainModel(late)).toThrow("both outcomes are needed");
    expect(() => trainModel([])).toThrow(RangeError);
  });

  it("solves symmetric positive definite systems", () => {
    const numbers = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(numbers, (values) => {
        const root = [0, 1, 2, 3].map((i) => values.slice(4 * i, 4 * i + 4));
        const entry = (i: number, j: number) =>
          (root[i] ?? []).reduce((sum, x, k) => sum + x * (root[j]?.[k] ?? 0), i === j ? 1 : 0);
        const lower = Float64Array.from({ length: 16 }, (_, at) => entry(Math.floor(at / 4), at % 4));
        const wanted = values.slice(16);
        const b = Float64Array.from({ length: 4 }, (_, i) =>
          wanted.reduce((sum, x, j) => sum + entry(i, j) * x, 0),
        );
        solvePositiveDefinite(lower, b).forEach((x, i) => {
          expect(x).toBeCloseTo(wanted[i] ?? 0, 8);
        });
      }),
    );
  });
});

describe("the evaluation", () => {
  it("is the share of pairs in the right order, ties counted half", () => {
    const scored = fc.array(fc.record({ score: fc.integer({ min: 1, max: 9 }), late: fc.boolean() }), {
      minLength: 2,
      maxLength: 40,
    });
    fc.assert(
      fc.property(
        scored.filter((all) => all.some(({ late }) => late) && all.some(({ late }) => !late)),
        (all) => {
          const pairs = all
            .filter(({ late }) => late)
            .flatMap((a) => all.filter(({ late }) => !late).map((b) => Math.sign(a.score - b.score)));
          const share = pairs.reduce((sum, sign) => sum + (sign + 1) / 2, 0) / pairs.length;
          const shown = evaluateScores(all.map(({ score, late }) => ({ score: score / 10, late })));
          expect(shown.auc).toBeCloseTo(share, 12);
        },
      ),
    );
  });

  it("has a log loss of ln 2 for a coin", () => {
    const coin = [true, false, false].map((late) => ({ score: 0.5, late }));
    expect(evaluateScores(coin)).toMatchObject({ auc: 0.5, log_loss: Math.LN2, flights: 3 });
    expect(() => evaluateScores([{ score: 0.5, late: true }])).toThrow("both are needed");
  });
});
