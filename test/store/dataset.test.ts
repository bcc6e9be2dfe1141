import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ColumnType } from "../../schema/drift-result.ts";
import { type Dataset, openDataset } from "../../store/dataset.ts";

const folder = mkdtempSync(join(tmpdir(), "leeway-dataset-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(ending: string, content: string | Uint8Array): string {
  files += 1;
  const path = join(folder, `file-${files}.${ending}`);
  writeFileSync(path, content);
  return path;
}

async function reading<T>(
  path: string,
  use: (dataset: Dataset) => Promise<T>,
  types: Readonly<Record<string, ColumnType>> = {},
): Promise<T> {
  const dataset = await openDataset(path, { types });
  try {
    return await use(dataset);
  } finally {
    await dataset.close();
  }
}

const typesOf = (path: string, types: Readonly<Record<string, ColumnType>> = {}) =>
  reading(
    path,
    async ({ columns }) => Object.fromEntries(columns.map(({ name, type }) => [name, type])),
    types,
  );
const numbersOf = (path: string, column: string, types: Readonly<Record<string, ColumnType>> = {}) =>
  reading(
    path,
    async (dataset) => {
      const { sorted, ...counts } = await dataset.numeric(column);
      return { sorted: [...sorted], ...counts };
    },
    types,
  );
const categoriesOf = (path: string, column: string, types: Readonly<Record<string, ColumnType>> = {}) =>
  reading(
    path,
    async (dataset) => {
      const { counts, rows, missing } = await dataset.categories(column);
      return { counts: Object.fromEntries(counts), rows, missing };
    },
    types,
  );

describe("CSV", () => {
  it("knows numbers, text, booleans and moments by their values", async () => {
    const path = file(
      "csv",
      "whole,part,word,flag,moment,day\n1,0.5,a,true,2026-01-02T03:04:05Z,2026-01-02\n2,1e3,b,false,2026-01-02T04:00:00Z,2026-01-03\n",
    );
    expect(await typesOf(path)).toEqual({
      whole: "numeric",
      part: "numeric",
      word: "categorical",
      flag: "boolean",
      moment: "timestamp",
      day: "timestamp",
    });
    expect((await numbersOf(path, "part")).sorted).toEqual([0.5, 1_000]);
    expect((await categoriesOf(path, "flag")).counts).toEqual({ true: 1, false: 1 });
    expect((await numbersOf(path, "moment")).sorted).toEqual([1767323045, 1767326400]);
  });

  it("reads quotes, commas and line breaks inside them, and names with anything in them", async () => {
    const path = file(
      "csv",
      'id,"the ""odd"" name; here",n\n1,"a, b",1\n2,"line\nbreak",2\n3,"say ""hi""",3\n',
    );
    expect((await categoriesOf(path, 'the "odd" name; here')).counts).toEqual({
      "a, b": 1,
      "line\nbreak": 1,
      'say "hi"': 1,
    });
  });

  it("columns may be called as anything is that is selected here", async () => {
    const path = file(
      "csv",
      "t,start,c,n,v,h0,m0\n2026-01-01,7,x,1,1,a,1\n2026-01-01,8,y,1,2,a,2\n2026-01-02,9,y,2,4,b,3\n",
    );
    await reading(path, async (dataset) => {
      expect([...(await dataset.categories("h0")).counts]).toEqual([
        ["a", 2],
        ["b", 1],
      ]);
      expect([...(await dataset.categories("c")).counts]).toEqual([
        ["y", 2],
        ["x", 1],
      ]);
      expect([...(await dataset.numeric("n")).sorted]).toEqual([1, 1, 2]);
      expect(await dataset.numeric("v")).toMatchObject({ rows: 3, missing: 0, unreadable: 0 });
      const blocks = await dataset.blockCounts("t", "day", [
        { name: "c", categories: ["x", "y"] },
        { name: "m0", edges: [0, 2, 4] },
      ]);
      expect(
        blocks.map(({ start, rows, columns }) => [start.toISOString().slice(0, 10), rows, columns]),
      ).toEqual([
        ["2026-01-01", 2, { c: { missing: 0, counts: [1, 1, 0] }, m0: { missing: 0, counts: [2, 0] } }],
        ["2026-01-02", 1, { c: { missing: 0, counts: [0, 1, 0] }, m0: { missing: 0, counts: [0, 1] } }],
      ]);
    });
  });

  it("takes empty cells as missing, in numbers and in text", async () => {
    const path = file("csv", "n,w,k\n1,a,1\n,,2\n3,b,3\n");
    expect(await numbersOf(path, "n")).toEqual({
      sorted: [1, 3],
      rows: 3,
      missing: 1,
      nan: 0,
      infinite: 0,
      unreadable: 0,
    });
    expect(await categoriesOf(path, "w")).toEqual({ counts: { a: 1, b: 1 }, rows: 3, missing: 1 });
  });

  it("a column that is empty throughout is missing throughout", async () => {
    const path = file("csv", "n,e\n1,\n2,\n");
    expect(await categoriesOf(path, "e")).toEqual({ counts: {}, rows: 2, missing: 2 });
    expect(await numbersOf(path, "e", { e: "numeric" })).toMatchObject({ sorted: [], rows: 2, missing: 2 });
  });

  it("leaves a byte-order mark out of the first name, and takes Windows line ends", async () => {
    expect(Object.keys(await typesOf(file("csv", "\uFEFFfirst,second\r\n1,2\r\n3,4\r\n")))).toEqual([
      "first",
      "second",
    ]);
  });

  it("reads tabs, and what is gzipped", async () => {
    expect((await numbersOf(file("tsv", "a\tb\n1\t2\n3\t4\n"), "b")).sorted).toEqual([2, 4]);
    expect((await numbersOf(file("csv.gz", gzipSync("a,b\n1,2\n3,4\n")), "b")).sorted).toEqual([2, 4]);
  });

  it("counts NaN and infinite values apart and leaves them out", async () => {
    expect(await numbersOf(file("csv", "n,k\n1.5,1\nNaN,2\ninf,3\n-inf,4\n-2.5,5\n,6\n"), "n")).toEqual({
      sorted: [-2.5, 1.5],
      rows: 6,
      missing: 1,
      nan: 1,
      infinite: 2,
      unreadable: 0,
    });
  });

  it("one word makes a column of numbers text; asked for as numbers, the word is unreadable", async () => {
    const path = file("csv", "n,k\n1,1\ntwo,2\n3,3\n,4\n");
    expect(await typesOf(path)).toMatchObject({ n: "categorical" });
    expect(await numbersOf(path, "n", { n: "numeric" })).toEqual({
      sorted: [1, 3],
      rows: 4,
      missing: 1,
      nan: 0,
      infinite: 0,
      unreadable: 1,
    });
  });

  it("numbers called categories keep their shortest text", async () => {
    const path = file("csv", "whole,part\n1,1\n2,2\n1,2.5\n");
    expect(await typesOf(path, { whole: "categorical" })).toEqual({ whole: "categorical", part: "numeric" });
    expect((await categoriesOf(path, "whole", { whole: "categorical" })).counts).toEqual({ "1": 2, "2": 1 });
    expect((await categoriesOf(path, "part", { part: "categorical" })).counts).toEqual({
      "1": 1,
      "2": 1,
      "2.5": 1,
    });
  });

  it("names the file and the line that is bad", async () => {
    const path = file("csv", `a,b\n${"1,2\n".repeat(50)}3,4,5,6\n${"1,2\n".repeat(50)}`);
    await expect(openDataset(path)).rejects.toMatchObject({
      code: "invalid-input",
      message: expect.stringMatching(new RegExp(`${path} cannot be read: .*[Ll]ine:? 52`)),
    });
  });

  it.each([
    { what: "a row with a cell too few", rows: "a,b\n1,2\n3\n4,5\n", line: 3 },
    { what: "a header with a name too few", rows: "a,b\n1,2,3\n4,5,6\n", line: 2 },
  ])("$what is a fault, not another table", async ({ rows, line }) => {
    await expect(openDataset(file("csv", rows))).rejects.toThrow(new RegExp(`Line: ${line}`));
  });

  it("takes only true and false for booleans, in any case: other words stay as they were written", async () => {
    const path = file(
      "csv",
      "said,flag,truth,mixed,x\nyes,t,true,true,1\nno,f,FALSE,no,2\n,t,,,3\nyes,t,True,yes,4\n",
    );
    expect(await typesOf(path)).toEqual({
      said: "categorical",
      flag: "categorical",
      truth: "boolean",
      mixed: "categorical",
      x: "numeric",
    });
    const dataset = await openDataset(path);
    expect(Object.fromEntries((await dataset.categories("said")).counts)).toEqual({ yes: 2, no: 1 });
    expect(Object.fromEntries((await dataset.categories("truth")).counts)).toEqual({ true: 2, false: 1 });
    await dataset.close();
  });

  it("rows that begin with a number sign are rows", async () => {
    const path = file("csv", "colour,n\n#ff0000,1\n#00ff00,2\nblue,3\n");
    expect(await categoriesOf(path, "colour")).toMatchObject({ rows: 3 });
  });

  it("one column with a comma in its quoted name is one column", async () => {
    expect(await typesOf(file("csv", '"a,b"\n"1,2"\n3\n'))).toEqual({ "a,b": "categorical" });
  });

  it("a header alone is a table without rows", async () => {
    const path = file("csv", "a,b\n");
    expect(await reading(path, async ({ rows, columns }) => [rows, columns.map(({ name }) => name)])).toEqual(
      [0, ["a", "b"]],
    );
  });
});

describe("NDJSON", () => {
  it("reads types, nulls, absent keys and unicode", async () => {
    const path = file(
      "ndjson",
      '{"n":1,"w":"é","f":true}\n{"n":null,"w":"日本","f":false}\n{"n":2.5,"f":null}\n{"n":1e300,"w":"é"}\n',
    );
    expect(await typesOf(path)).toEqual({ n: "numeric", w: "categorical", f: "boolean" });
    expect(await numbersOf(path, "n")).toMatchObject({ sorted: [1, 2.5, 1e300], rows: 4, missing: 1 });
    expect(await categoriesOf(path, "w")).toEqual({ counts: { é: 2, 日本: 1 }, rows: 4, missing: 1 });
  });

  it("text of digits stays text", async () => {
    expect(await typesOf(file("jsonl", '{"zip":"01234","n":1}\n{"zip":"99999","n":2}\n'))).toEqual({
      zip: "categorical",
      n: "numeric",
    });
  });

  it("mixed types are text, whose numbers can be asked for", async () => {
    const path = file("ndjson", '{"m":1}\n{"m":"x"}\n{"m":3}\n{"m":null}\n');
    expect(await typesOf(path)).toEqual({ m: "categorical" });
    expect(await categoriesOf(path, "m")).toMatchObject({ rows: 4, missing: 1 });
    expect((await categoriesOf(path, "m")).counts).toEqual({ "1": 1, x: 1, "3": 1 });
    expect(await numbersOf(path, "m", { m: "numeric" })).toMatchObject({
      sorted: [1, 3],
      missing: 1,
      unreadable: 1,
    });
  });

  it("names the file that holds a bad line", async () => {
    const path = file("ndjson", '{"a":1}\n{"a":\n{"a":3}\n');
    await expect(openDataset(path)).rejects.toMatchObject({
      code: "invalid-input",
      message: expect.stringContaining(`${path} cannot be read: `),
    });
  });
});

describe("Parquet", () => {
  let path = "";
  beforeAll(async () => {
    path = join(folder, "table.parquet");
    const instance = await DuckDBInstance.create();
    const connection = await instance.connect();
    await connection.run(
      `copy (select i::integer as i, case when i % 10 = 0 then null else i / 4.0 end::double as d, (i % 3)::varchar as c,
         i % 2 = 0 as b, timestamp '2026-01-01' + to_hours(i::integer) as t, (i / 2)::decimal(9, 2) as m
       from range(100) r(i)) to '${path}' (format parquet)`,
    );
    connection.closeSync();
    instance.closeSync();
  });

  it("reads types and values", async () => {
    expect(await typesOf(path)).toEqual({
      i: "numeric",
      d: "numeric",
      c: "categorical",
      b: "boolean",
      t: "timestamp",
      m: "numeric",
    });
    expect(await numbersOf(path, "d")).toMatchObject({ rows: 100, missing: 10 });
    expect((await categoriesOf(path, "c")).counts).toEqual({ "0": 34, "1": 33, "2": 33 });
    expect((await numbersOf(path, "m")).sorted.at(-1)).toBe(49.5);
  });

  it("takes rows by position and by time, half-open", async () => {
    await reading(path, async (dataset) => {
      const rows = await dataset.numeric("i", { rows: { from: 10, to: 13 } });
      expect([...rows.sorted]).toEqual([10, 11, 12]);
      const from = new Date("2026-01-01T05:00:00Z");
      const to = new Date("2026-01-01T08:00:00Z");
      const timed = await dataset.numeric("i", { time: { column: "t", from, to } });
      expect([...timed.sorted]).toEqual([5, 6, 7]);
      expect(await dataset.timeRange("t")).toEqual({
        from: new Date("2026-01-01T00:00:00Z"),
        to: new Date("2026-01-05T03:00:00Z"),
      });
    });
  });

  it("counts blocks of time on bins and categories, outside values in the end bins", async () => {
    const blocks = await reading(path, (dataset) =>
      dataset.blockCounts("t", "day", [
        { name: "i", edges: [10, 20, 30] },
        { name: "c", categories: ["0", "1"] },
        { name: "d", edges: [] },
      ]),
    );
    expect(blocks).toHaveLength(5);
    expect(blocks[0]).toEqual({
      start: new Date("2026-01-01T00:00:00Z"),
      rows: 24,
      columns: {
        i: { missing: 0, counts: [21, 3] },
        c: { missing: 0, counts: [8, 8, 8] },
        d: { missing: 3, counts: [] },
      },
    });
    expect(blocks.at(-1)?.columns.i?.counts).toEqual([0, 4]);
  });

  it("names a file that only calls itself Parquet", async () => {
    const wrong = file("parquet", "this is no Parquet file");
    await expect(openDataset(wrong)).rejects.toMatchObject({
      code: "invalid-input",
      message: expect.stringContaining(`${wrong} cannot be read: `),
    });
  });
});

describe("what cannot be read", () => {
  it.each([
    {
      what: "a missing file",
      path: () => join(folder, "none.csv"),
      code: "not-found",
      message: /none\.csv: no such file/,
    },
    { what: "an empty file", path: () => file("csv", ""), code: "invalid-input", message: /is empty$/ },
    {
      what: "a folder",
      path: () => {
        const path = join(folder, "folder.csv");
        mkdirSync(path);
        return path;
      },
      code: "invalid-input",
      message: /is a folder: name a CSV, Parquet or NDJSON file/,
    },
    {
      what: "another kind of file",
      path: () => file("xlsx", "PK"),
      code: "invalid-input",
      message: /expected a file that ends in \.csv/,
    },
  ])("$what", async ({ path, code, message }) => {
    await expect(openDataset(path())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it("a column that is not there", async () => {
    const path = file("csv", "a,b\n1,2\n");
    await expect(numbersOf(path, "c")).rejects.toThrow(`${path} has no column "c"`);
    await expect(categoriesOf(path, "A")).rejects.toThrow('has no column "A"'); // names are taken as they are written
  });
});

it("a file's SHA-256 is that of its bytes", async () => {
  const content = "a,b\n1,2\n";
  expect(await reading(file("csv", content), (dataset) => dataset.sha256())).toBe(
    createHash("sha256").update(content).digest("hex"),
  );
});
