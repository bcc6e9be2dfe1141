import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chiSquare } from "../../../drift/statistics/chi-square.ts";
import { hellinger } from "../../../drift/statistics/hellinger.ts";
import { jensenShannonDistance } from "../../../drift/statistics/jensen-shannon.ts";
import { lInfinity } from "../../../drift/statistics/l-infinity.ts";
import { psi } from "../../../drift/statistics/psi.ts";
import { sortedSampleStatistics } from "../../../drift/statistics/sorted-samples.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../../fixtures.ts";

interface Vector {
  readonly statistic: string;
  readonly reference: unknown;
  readonly current: unknown;
  readonly expected: unknown;
  readonly tolerance: number | null;
}

type Counts = Map<string, number>;

/** What other projects' own tests state for the statistics we have under the same definition. */
const ours: Readonly<Record<string, (vector: Vector) => readonly number[]>> = {
  "hellinger categorical": (vector) => [hellinger(...paired(vector))],
  "hellinger single value": (vector) => [hellinger(...paired(vector))],
  "PSI categorical (eps 1e-4 on zeros)": (vector) => [psi(...paired(vector))],
  "chi2 p": (vector) => [chiSquare(...paired(vector)).pValue],
  "chi2_contingency stat": (vector) => {
    const { value, pValue } = chiSquare(...paired(vector));
    return [value, pValue];
  },
  "L-infinity": (vector) => [lInfinity(...paired(vector))],
  "L-inf": (vector) => [lInfinity(...paired(vector))],
  "categorical linf_simple": (vector) => [lInfinity(...paired(vector))],
  "energy distance (scipy, = sqrt of 2E|X-Y|-..)": ({ reference, current }) => [
    sortedSampleStatistics(sorted(reference), sorted(current)).energy,
  ],
  "numeric linf_simple on KLL rank maps": ({ reference, current }) => [
    sortedSampleStatistics(sorted(reference), sorted(current)).ks,
  ],
  "JS divergence no overlap": (vector) => [jensenShannonDistance(...paired(vector)) ** 2],
  "JS divergence two point masses": (vector) => [jensenShannonDistance(...paired(vector)) ** 2],
};

function sorted(values: unknown): Float64Array {
  return Float64Array.from(values as number[]).sort();
}

/** A list of values, values with repeats, shares by name, or histogram bars `[from, to, count]`, as counts by name. */
function countsOf(side: unknown): Counts {
  if (Array.isArray(side) && Array.isArray(side[0]))
    return new Map((side as number[][]).map(([from, to, count]) => [`${from} to ${to}`, count ?? 0]));
  if (Array.isArray(side)) {
    const counts: Counts = new Map();
    for (const value of side) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
    return counts;
  }
  const named = side as { readonly values?: readonly unknown[]; readonly repeat?: readonly number[] };
  if (named.values && named.repeat)
    return new Map(named.values.map((value, i) => [String(value), named.repeat?.[i] ?? 0]));
  return new Map(Object.entries(side as Record<string, number>));
}

function paired({ reference, current }: Vector): [number[], number[]] {
  const before = countsOf(reference);
  const now = countsOf(current);
  const names = [...new Set([...before.keys(), ...now.keys()])].sort();
  return [names.map((name) => before.get(name) ?? 0), names.map((name) => now.get(name) ?? 0)];
}

const vectors: readonly Vector[] =
  FIXTURES && haveFixtures
    ? JSON.parse(readFileSync(join(FIXTURES, "expected/unit_vectors.json"), "utf8"))
    : [];

describe.skipIf(!haveFixtures)(`other projects' own vectors (${WITHOUT_FIXTURES})`, () => {
  const known = vectors.filter(({ statistic }) => statistic in ours);

  it("has a vector for every statistic named here", () => {
    expect(new Set(known.map(({ statistic }) => statistic))).toEqual(new Set(Object.keys(ours)));
  });

  it.each(known.map((vector) => [vector.statistic, vector] as const))("%s", (name, vector) => {
    const expected =
      typeof vector.expected === "number" ? [vector.expected] : Object.values(vector.expected as object);
    const got = ours[name]?.(vector) ?? [];
    expect(got).toHaveLength(expected.length);
    expected.forEach((value, i) => {
      expect(Math.abs((got[i] ?? Number.NaN) - value)).toBeLessThanOrEqual(vector.tolerance ?? 1e-6);
    });
  });
});
