import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareResult } from "../../schema/compare-result.ts";
import { leeway, makeFolder } from "./leeway.ts";

const folder = makeFolder();
const file = (name: string) => join(folder.path, name);

beforeAll(() => {
  const csv = (shift: number) =>
    `amount\n${Array.from({ length: 2_000 }, (_, i) => (i * 37) / 10 + shift).join("\n")}\n`;
  writeFileSync(file("train.csv"), csv(0));
  writeFileSync(file("today.csv"), csv(370));
});
afterAll(() => folder.remove());

describe("drift compare --preset", () => {
  it("prints the tool's numbers, threshold and rule, and exits with 3 when its rule calls drift", async () => {
    const { code, stdout } = await leeway([
      "drift",
      "compare",
      file("train.csv"),
      file("today.csv"),
      "--preset",
      "evidently",
      "--json",
    ]);
    const result = compareResult.parse(JSON.parse(stdout));
    expect({ code, preset: result.preset }).toEqual({ code: 3, preset: "evidently" });
    // (numbers 37 / 10 apart, moved by 100 of them) / sqrt((2000^2 - 1) / 12)
    expect("columns" in result && result.columns[0]).toMatchObject({
      primary: "wasserstein",
      minimum_effect: 0.1,
      reason:
        "by Evidently's rule: Wasserstein distance 0.173 of the baseline's standard deviation, at or above 0.1; no false-alarm budget is kept",
    });
  });

  it.each([
    {
      flags: ["--preset", "nobody"],
      says: "--preset nobody is not known: there are leeway, evidently, nannyml, azure, tfdv, sagemaker",
    },
    {
      flags: ["--preset", "nannyml", "--false-alarms", "0.01"],
      says: "--false-alarms does not go with --preset nannyml: that tool's own thresholds decide there",
    },
    {
      flags: ["--preset", "evidently", "--minimum-effect", "0.2"],
      says: "--minimum-effect does not go with --preset evidently",
    },
  ])("refuses $flags", async ({ flags, says }) => {
    const { code, stderr } = await leeway(["drift", "compare", "a.csv", "b.csv", ...flags]);
    expect(code).toBe(2);
    expect(stderr).toContain(says);
  });
});
