import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { benjaminiHochberg, holm } from "../../drift/multiple-testing.ts";

// Values from R 4.2: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm") and "BH"; second row with ties and 1.
describe("adjusted p-values equal R's p.adjust", () => {
  it.each([
    {
      p: [0.01, 0.02, 0.03, 0.04, 0.05],
      holm: [0.05, 0.08, 0.09, 0.09, 0.09],
      bh: [0.05, 0.05, 0.05, 0.05, 0.05],
    },
    { p: [0.5, 0.001, 1, 0.001], holm: [1, 0.004, 1, 0.004], bh: [2 / 3, 0.002, 1, 0.002] },
    { p: [0.2], holm: [0.2], bh: [0.2] },
    { p: [], holm: [], bh: [] },
  ])("$p", ({ p, holm: h, bh }) => {
    expect(holm(p).map((x) => Number(x.toPrecision(12)))).toEqual(h.map((x) => Number(x.toPrecision(12))));
    expect(benjaminiHochberg(p).map((x) => Number(x.toPrecision(12)))).toEqual(
      bh.map((x) => Number(x.toPrecision(12))),
    );
  });

  const pValues = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 });
  it("p <= BH <= Holm <= Bonferroni, in the order of p", () => {
    fc.assert(
      fc.property(pValues, (p) => {
        const bonferroni = p.map((x) => Math.min(1, x * p.length));
        const h = holm(p);
        const bh = benjaminiHochberg(p);
        p.forEach((x, i) => {
          expect(bh[i]).toBeGreaterThanOrEqual(x - 1e-15);
          expect(h[i]).toBeGreaterThanOrEqual((bh[i] ?? 0) - 1e-12);
          expect(bonferroni[i]).toBeGreaterThanOrEqual((h[i] ?? 0) - 1e-12);
        });
      }),
    );
  });

  it("refuses what is no probability", () => {
    expect(() => holm([0.5, Number.NaN])).toThrow(RangeError);
    expect(() => benjaminiHochberg([1.1])).toThrow(RangeError);
  });
});
