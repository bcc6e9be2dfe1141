import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareFiles } from "../../app/compare-files.ts";
import type { CompareResult } from "../../schema/compare-result.ts";
import type { ColumnResult } from "../../schema/drift-result.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "leeway-compare-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function csv(name: string, rows: readonly (readonly (string | number)[])[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${rows.map((row) => row.join(",")).join("\n")}\n`);
  return path;
}

function columnOf(result: CompareResult, name: string): ColumnResult {
  const column =
    "columns" in result ? result.columns.find((candidate) => candidate.name === name) : undefined;
  if (!column) throw new Error(`no column ${name}`);
  return column;
}

describe.skipIf(!haveFixtures)(
  `bike sharing data (${haveFixtures ? "reference data found" : WITHOUT_FIXTURES})`,
  () => {
    interface Expected {
      readonly [name: string]: number;
    }
    const CATEGORICAL = {
      season: "categorical",
      weathersit: "categorical",
      workingday: "categorical",
      holiday: "categorical",
    } as const;
    let lines: string[];
    let header: string[];
    const rowsWhere = (from: string, to: string) =>
      lines.filter((line) => {
        const time = line.split(",")[header.indexOf("timestamp")] ?? "";
        return time >= from && time < to;
      });
    const write = (name: string, body: readonly string[]) => {
      const path = join(folder, name);
      writeFileSync(path, `${[header.join(","), ...body].join("\n")}\n`);
      return path;
    };
    beforeAll(() => {
      const [first = "", ...rest] = readFileSync(join(FIXTURES ?? "", "data/bike_sharing/hour.csv"), "utf8")
        .trim()
        .split(/\r?\n/);
      header = first.split(",");
      lines = rest;
    });

    it("equals scipy to 1e-9 for every column of every month of 2012 against 2011", async () => {
      const expected = JSON.parse(readFileSync(join(FIXTURES ?? "", "expected/bike.json"), "utf8")) as {
        ref_2011_vs_each_month_of_2012: Record<string, Record<string, Expected>>;
      };
      const baseline = write("2011.csv", rowsWhere("2011", "2012"));
      let compared = 0;
      const same = (name: string, got: number | null | undefined, want: number | null | undefined) => {
        if (want === undefined) return;
        compared += 1;
        if (want === null) return expect(got ?? null, name).toBeNull();
        expect(Math.abs((got ?? Number.NaN) - want), `${name}: ${got} is not ${want}`).toBeLessThanOrEqual(
          Math.max(1e-9 * Math.abs(want), 1e-15),
        );
      };
      for (const [month, columns] of Object.entries(expected.ref_2011_vs_each_month_of_2012)) {
        const [year, number] = month.split("-").map(Number);
        const next =
          number === 12 ? `${(year ?? 0) + 1}-01` : `${year}-${String((number ?? 0) + 1).padStart(2, "0")}`;
        const current = write(`${month}.csv`, rowsWhere(month, next));
        const result = await compareFiles(baseline, current, {
          columns: Object.keys(columns),
          types: CATEGORICAL,
          timeColumn: "none",
        });
        for (const [name, want] of Object.entries(columns)) {
          const { statistics, baseline: before, current: now } = columnOf(result, name);
          const of = (statistic: string) => statistics[statistic]?.value ?? null;
          const at = (field: string) => `${month} ${name} ${field}`;
          same(at("rows"), before?.count, want.n_ref);
          same(at("rows"), now?.count, want.n_cur);
          same(at("mean"), now?.mean, want.mean_cur);
          same(at("std"), before?.std, want.std_ref);
          same(at("ks"), of("ks"), want.ks);
          same(at("ks p"), statistics.ks?.p_value, want.ks_p_asymp);
          same(at("wasserstein"), of("wasserstein"), want.wasserstein);
          same(at("psi"), of("psi"), want.psi10 ?? want.psi);
          same(at("js"), of("jensen_shannon"), want.js10 ?? want.js);
          same(at("chi2"), statistics.chi_square?.value, want.chi2);
          same(at("linf"), statistics.l_infinity?.value, want.linf);
          same(at("tvd"), statistics.tvd?.value, want.tvd);
          if (want.chi2_p !== undefined && want.chi2_p > 1e-290)
            same(at("chi2 p"), statistics.chi_square?.p_value, want.chi2_p);
        }
      }
      expect(compared).toBeGreaterThan(900);
    });

    it("keeps to three times the budget on whole days of 2011, drawn at random, against the rest of that year", async () => {
      const year = rowsWhere("2011", "2012");
      const at = header.indexOf("timestamp");
      const day = (line: string) => (line.split(",")[at] ?? "").slice(0, 10);
      const days = [...new Set(year.map(day))];
      const columns = [
        "temp",
        "atemp",
        "hum",
        "windspeed",
        "cnt",
        "hr",
        "season",
        "weathersit",
        "workingday",
        "holiday",
        "weekday",
        "mnth",
      ];
      // Budget 5 %, so that a hundred days can show a breach; every seventh day after a fixed shuffle of the year.
      const drawn = days
        .map((name, i) => ({ name, key: (i * 7_919) % days.length }))
        .sort((a, b) => a.key - b.key)
        .slice(0, 40);
      let called = 0;
      for (const { name } of drawn) {
        const rest = write(
          "rest.csv",
          year.filter((line) => day(line) !== name),
        );
        const one = write(
          "day.csv",
          year.filter((line) => day(line) === name),
        );
        const result = await compareFiles(rest, one, {
          columns,
          types: CATEGORICAL,
          timeColumn: "timestamp",
          falseAlarms: "0.05",
          minimumEffect: 0,
        });
        if (
          "dataset" in result &&
          (result.dataset.verdict === "drifted" || result.dataset.verdict === "quality")
        )
          called += 1;
      }
      expect(called / drawn.length).toBeLessThanOrEqual(3 * 0.05);
    }, 240_000);

    it("finds the cause when temperatures arrive in another unit, day by day", async () => {
      const at = header.indexOf("temp");
      const baseline = write("2011.csv", rowsWhere("2011", "2012"));
      const broken = rowsWhere("2011-07-01", "2011-07-15").map((line) => {
        const cells = line.split(",");
        cells[at] = String(Number(cells[at]) * 100);
        return cells.join(",");
      });
      const result = await compareFiles(baseline, write("broken.csv", broken), {
        columns: ["temp", "hum"],
        timeColumn: "none",
      });
      expect(columnOf(result, "temp").verdict).not.toBe("stable");
    });
  },
);

describe("awkward columns get a verdict with a reason, never a crash", () => {
  const rows = Array.from({ length: 200 }, (_, i) => i);
  const good = ["x", ...rows.map((i) => (i * 37) % 101)];
  const table = (cells: readonly (string | number)[]) => cells.map((cell) => [cell, 1]);

  it.each([
    { what: "equal to the baseline", cells: good, verdict: "stable", reason: /within what chance does/ },
    {
      what: "all missing",
      cells: ["x", ...rows.map(() => "")],
      verdict: "quality",
      reason: /missing|no row holds a value/,
    },
    {
      what: "half missing",
      cells: ["x", ...rows.map((i) => (i % 2 ? "" : i % 101))],
      verdict: "quality",
      reason: /50\.0 % missing/,
    },
    { what: "constant", cells: ["x", ...rows.map(() => 7)], verdict: "quality", reason: /same value/ },
    {
      what: "infinite",
      cells: ["x", ...rows.map((i) => (i % 3 ? "inf" : i))],
      verdict: "quality",
      reason: /no finite number/,
    },
    {
      what: "not a number",
      cells: ["x", ...rows.map((i) => (i % 3 ? "nan" : i))],
      verdict: "quality",
      reason: /no finite number/,
    },
    {
      what: "half text",
      cells: ["x", ...rows.map((i) => (i % 2 ? "n/a!" : i))],
      verdict: "quality",
      reason: /no finite number/,
    },
    {
      what: "shifted",
      cells: ["x", ...rows.map((i) => ((i * 37) % 101) + 60)],
      verdict: "drifted",
      reason: /chance passes/,
    },
    {
      what: "a thousandfold",
      cells: ["x", ...rows.map((i) => ((i * 37) % 101) * 1_000)],
      verdict: "quality",
      reason: /thousandfold/,
    },
    {
      what: "of another name",
      cells: ["y", ...good.slice(1)],
      verdict: "quality",
      reason: /is in the baseline and not in/,
    },
    { what: "one row", cells: ["x", 5], verdict: "too-few", reason: /too few/ },
  ])("a numeric column that is $what: $verdict", async ({ what, cells, verdict, reason }) => {
    const name = what.replaceAll(" ", "-");
    const result = await compareFiles(
      csv(
        "good.csv",
        table(good).map(([c]) => [c ?? "", 1]),
      ),
      csv(`${name}.csv`, table(cells)),
      { timeColumn: "none" },
    );
    const column = columnOf(result, "x");
    expect(column.reason).toMatch(reason);
    expect(column.verdict).toBe(verdict);
  });

  it.each([
    { what: "a category nobody has seen", cells: ["c", ...rows.map(() => "new")], verdict: "drifted" },
    { what: "the same shares", cells: ["c", ...rows.map((i) => "abc"[i % 3] ?? "")], verdict: "stable" },
    { what: "booleans", cells: ["c", ...rows.map((i) => (i % 2 ? "true" : "false"))], verdict: "drifted" },
    { what: "nothing", cells: ["c", ...rows.map(() => "")], verdict: "quality" },
  ])("a categorical column that holds $what: $verdict", async ({ cells, verdict }) => {
    const baseline = csv("letters.csv", [["c", "n"], ...rows.map((i) => ["abc"[i % 3] ?? "", i])]);
    const result = await compareFiles(
      baseline,
      csv(
        "now.csv",
        cells.map((cell, i) => [cell, i === 0 ? "n" : i - 1]),
      ),
    );
    expect(columnOf(result, "c").verdict).toBe(verdict);
    expect(columnOf(result, "c").reason.length).toBeGreaterThan(10);
  });

  it.each([
    { what: "constant, and still so", before: 5, now: 5, verdict: "stable" },
    { what: "constant, and now another constant", before: 5, now: 6, verdict: "drifted" },
    { what: "empty, and still so", before: "", now: "", verdict: "stable" },
    { what: "empty, and now full", before: "", now: 3, verdict: "quality" },
  ])("a baseline that is $what: $verdict", async ({ before, now, verdict }) => {
    const baseline = csv("b.csv", [["x", "n"], ...rows.map((i) => [before, i])]);
    const current = csv("c.csv", [["x", "n"], ...rows.map((i) => [now, i])]);
    const column = columnOf(await compareFiles(baseline, current), "x");
    expect(column.verdict, column.reason).toBe(verdict);
  });

  it("a column with a hostile name is a column", async () => {
    const name = `"); drop table file; -- '${"é".repeat(20)}`;
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const path = csv("hostile.csv", [[quoted, "n"], ...rows.map((i) => [i, i])]);
    expect(columnOf(await compareFiles(path, path), name).verdict).toBe("stable");
  });

  it("sees a constant baseline come alive where quantile bins are blind", async () => {
    const baseline = csv("still.csv", [["x", "n"], ...rows.map((i) => [0.5, i])]);
    const current = csv("live.csv", [["x", "n"], ...rows.map((i) => [(i * 37) % 101, i])]);
    const column = columnOf(await compareFiles(baseline, current), "x");
    expect(column).toMatchObject({ verdict: "drifted", primary: "ks" });
    expect(column.statistics.psi).toBeNull();
    expect(column.statistics.jensen_shannon).toBeNull();
  });
});

describe("windows and errors", () => {
  const series = (offset: number) => [
    ["time", "x"],
    ...Array.from({ length: 24 * 20 }, (_, i) => [
      new Date(Date.UTC(2024, 0, 1 + offset) + i * 3_600_000).toISOString(),
      (i * 37) % 101,
    ]),
  ];

  it("gives a verdict per day, and per so many rows", async () => {
    const baseline = csv("series.csv", series(0));
    const current = csv("later.csv", series(20));
    const daily = await compareFiles(baseline, current, { window: "1d" });
    if (!("windows" in daily)) throw new Error("expected windows");
    expect(daily.time_column).toBe("time");
    expect(daily.windows).toHaveLength(20);
    expect(daily.windows.every(({ rows }) => rows === 24)).toBe(true);
    expect(daily.windows[0]).toMatchObject({
      from: "2024-01-21T00:00:00.000Z",
      to: "2024-01-22T00:00:00.000Z",
    });
    const byRows = await compareFiles(baseline, current, { window: "100rows" });
    if (!("windows" in byRows)) throw new Error("expected windows");
    expect(byRows.windows.map(({ from, to, rows }) => [from, to, rows])).toEqual([
      [0, 100, 100],
      [100, 200, 100],
      [200, 300, 100],
      [300, 400, 100],
      [400, 480, 80],
    ]);
  });

  it("calibrates on the baseline's own days and says so", async () => {
    const result = await compareFiles(csv("series.csv", series(0)), csv("day.csv", series(20).slice(0, 25)));
    expect(columnOf(result, "x").calibration).toMatchObject({ method: "windows", windows: 20 });
  });

  it.each([
    { files: ["absent.csv", "absent.csv"], options: {}, says: /absent\.csv: no such file/ },
    { files: ["good.txt.bin", "good.txt.bin"], options: {}, says: /expected a file that ends in/ },
    { files: ["empty.csv", "empty.csv"], options: {}, says: /empty\.csv is empty/ },
    { files: ["a.csv", "a.csv"], options: { columns: ["z"] }, says: /has no column "z": it has x, n/ },
    { files: ["a.csv", "a.csv"], options: { timeColumn: "x" }, says: /"x" .* not a timestamp/ },
    { files: ["a.csv", "a.csv"], options: { window: "1d" }, says: /needs a time column/ },
    { files: ["a.csv", "a.csv"], options: { window: "soon" }, says: /expected a duration such as 1d/ },
    { files: ["a.csv", "a.csv"], options: { falseAlarms: "2" }, says: /probability between 0 and 1/ },
    { files: ["a.csv", "a.csv"], options: { falseAlarms: "1/30d" }, says: /needs windows of a fixed length/ },
  ])("$says", async ({ files, options, says }) => {
    csv("a.csv", [
      ["x", "n"],
      [1, 2],
      [2, 3],
    ]);
    writeFileSync(join(folder, "empty.csv"), "");
    writeFileSync(join(folder, "good.txt.bin"), "x");
    const [baseline = "", current = ""] = files.map((name) => join(folder, name));
    await expect(compareFiles(baseline, current, options)).rejects.toThrow(says);
  });
});
