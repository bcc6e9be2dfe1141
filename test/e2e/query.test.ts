import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { takenFunctions } from "../../store/query-functions.ts";
import { leeway, makeFolder, type Served, serve } from "./leeway.ts";

const guide = readFileSync(join(import.meta.dirname, "../../docs/sql.md"), "utf8");

/** The code blocks of the guide in one language. */
function blocks(language: string): string[] {
  return [...guide.matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .filter(([, name]) => name === language)
    .map(([, , text = ""]) => text.trim());
}

const folder = makeFolder();
let server: Served;
const HOUR = 3_600_000;
const ROWS = 40;
const STARTED = Date.now() - 20 * HOUR;

beforeAll(async () => {
  server = await serve(["--data-dir", join(folder.path, "data")]);
  const records = Array.from({ length: ROWS }, (_, i) => ({
    id: `r${i}`,
    time: new Date(STARTED + i * 1000).toISOString(),
    version: i % 2 === 0 ? "1" : "2",
    inputs: {
      age: 20 + i,
      plan: i % 4 === 0 ? "gold" : "basic",
      address: { city: i % 2 === 0 ? "Oslo" : "Bergen" },
      tags: ["a", "b"],
    },
    outputs: { score: i / ROWS, answer: i % 3 === 0 ? "yes" : "no" },
    latency_ms: i,
    status: 200,
  }));
  await post("/v1/models/churn/records", records);
  await post("/v1/models/churn-next/records", records);
  await post(
    "/v1/models/churn/labels",
    records.slice(0, 10).map(({ id }) => ({ id, label: "yes" })),
  );
  await vi.waitFor(async () => expect((await query("select count(label) from churn")).rows).toEqual([[10]]), {
    timeout: 10_000,
    interval: 100,
  });
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
});

async function post(path: string, body: object): Promise<unknown> {
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  expect(response.ok, text).toBe(true);
  return JSON.parse(text);
}

async function query(sql: string): Promise<{ columns: { name: string; type: string }[]; rows: unknown[][] }> {
  return (await post("/v1/query", { sql })) as {
    columns: { name: string; type: string }[];
    rows: unknown[][];
  };
}

async function ask(sql: string, accept: string): Promise<Response> {
  return fetch(`${server.url}/v1/query`, {
    method: "POST",
    headers: { "content-type": "application/json", accept },
    body: JSON.stringify({ sql }),
  });
}

/** Rows of a Parquet file, as text. */
async function readParquet(file: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(":memory:", { memory_limit: "100MB" });
  const connection = await instance.connect();
  const result = await connection.runAndReadAll(`select columns(*)::varchar from read_parquet('${file}')`);
  connection.closeSync();
  instance.closeSync();
  return result.getRowsJS();
}

describe("docs/sql.md", () => {
  it.each(blocks("sql").map((sql) => [sql]))("answers as written: %s", async (sql) => {
    const { rows } = await query(sql);
    expect(rows.length > 0 || sql.includes("results.features")).toBe(true);
  });

  it.each(
    blocks("sh")
      .join("\n")
      .split("\n")
      .filter((line) => line.startsWith('leeway query "'))
      .map((line) => [line]),
  )("runs as written: %s", async (line) => {
    const [, , sql = "", rest = ""] = /^leeway (query) "([^"]+)"(.*)$/.exec(line) ?? [];
    const { code, stdout, stderr } = await leeway(["query", sql, ...rest.split(" ").filter(Boolean)], {
      cwd: folder.path,
      env: { LEEWAY_URL: server.url },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const output = /--output (\S+)/.exec(rest)?.[1];
    if (output === undefined)
      expect(stdout).toMatch(/^version {2}count_star\(\).*\n-+.*\n(.+\n){2}\(2 rows\)\n$/);
    else expect(readFileSync(join(folder.path, output)).length).toBeGreaterThan(10);
    if (output?.endsWith(".parquet")) expect(await readParquet(join(folder.path, output))).toHaveLength(10);
    if (output !== undefined) rmSync(join(folder.path, output));
  });

  it("names the functions that are taken, and no other", () => {
    const listed = guide.slice(guide.indexOf("These functions are:"));
    expect([...listed.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual(takenFunctions());
  });
});

describe("an answer", () => {
  const EXACT = `select 9007199254740993 as whole, 12345678901234567.89::decimal(20, 2) as decimal, 'nan'::double as nan,
    '-inf'::double as inf, timestamptz '2026-11-03 09:10:11.123456+02' as time, date '2026-11-03' as day, null as nothing,
    '' as empty, 'a"b,' as quoted, [1, null] as list, {'a': 1, 'b': 'x'} as object, map {'k': 1} as pairs, true as yes,
    '\\x00\\xFF'::blob as bytes`;

  it("is exact as JSON", async () => {
    const { rows, columns } = await query(EXACT);
    expect(rows).toEqual([
      [
        "9007199254740993",
        "12345678901234567.89",
        "NaN",
        "-Infinity",
        "2026-11-03T07:10:11.123456Z",
        "2026-11-03",
        null,
        "",
        'a"b,',
        [1, null],
        { a: 1, b: "x" },
        [["k", 1]],
        true,
        "AP8=",
      ],
    ]);
    expect(columns.slice(0, 2)).toEqual([
      { name: "whole", type: "BIGINT" },
      { name: "decimal", type: "DECIMAL(20,2)" },
    ]);
  });

  it("is exact as NDJSON and CSV", async () => {
    const lines = await (
      await ask("select 1 as a, 2 as a union all select 3, null", "application/x-ndjson")
    ).text();
    expect(lines).toBe('{"a":1,"a:1":2}\n{"a":3,"a:1":null}\n');
    const csv = await ask(EXACT, "text/csv");
    expect(csv.headers.get("x-leeway-rows")).toBe("1");
    expect(await csv.text()).toBe(
      'whole,decimal,nan,inf,time,day,nothing,empty,quoted,list,object,pairs,yes,bytes\r\n9007199254740993,12345678901234567.89,NaN,-Infinity,2026-11-03T07:10:11.123456Z,2026-11-03,,"","a""b,","[1,null]","{""a"":1,""b"":""x""}","[[""k"",1]]",true,AP8=\r\n',
    );
  });

  it("is exact as Parquet, or says what to cast", async () => {
    const file = join(folder.path, "exact.parquet");
    const run = await leeway(["query", `${EXACT};`, "--format", "parquet", "--output", file], {
      env: { LEEWAY_URL: server.url },
    });
    expect(run).toMatchObject({ code: 0, stderr: "" });
    const [row] = await readParquet(file);
    expect(row?.slice(0, 4)).toEqual(["9007199254740993", "12345678901234567.89", "nan", "-inf"]);
    const lossy = await ask("select sum(i) as total from range(3) t(i)", "application/vnd.apache.parquet");
    expect([lossy.status, await lossy.text()]).toEqual([
      400,
      expect.stringMatching(/cast it, such as total::bigint/),
    ]);
  });

  it("is a table on a terminal, and JSON on request; no terminal is made to do anything by it", async () => {
    const run = await leeway(["query", "select 'a\x1b[2J' as text, 1.5 as number, null as nothing"], {
      env: { LEEWAY_URL: server.url },
    });
    expect(run.stdout).toBe("text   number  nothing\n-----  ------  -------\na\ufffd[2J     1.5\n(1 row)\n");
    const json = await leeway(["query", "-", "--json"], {
      env: { LEEWAY_URL: server.url },
      input: "select 1 as a",
    });
    expect(JSON.parse(json.stdout)).toEqual({
      columns: [{ name: "a", type: "INTEGER" }],
      rows: [[1]],
      truncated: false,
    });
  });

  it.each([
    {
      args: ["select * from nobody"],
      says: /there is no "nobody" to be queried: models are "churn", "churn-next"/,
    },
    {
      args: ["select 1", "--format", "excel"],
      says: /Allowed choices are table, json, ndjson, csv, parquet/,
    },
    { args: ["select 1", "--timeout", "301"], says: /time_limit_seconds/ },
  ])("is refused on the command line: $args", async ({ args, says }) => {
    const { code, stderr } = await leeway(["query", ...args], { env: { LEEWAY_URL: server.url } });
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(says);
  });

  it("may ask for parts of JSON and lists", async () => {
    const sql = `select in_address -> 'city' as a, in_address ->> '$.city' as b, list_has_any(['a', 'b'], ['b', 'c']) as c,
      map {'x': 1, 'y': 2}['y'] as d, json_extract(in_tags, '$[*]') as e from churn where record_id = 'r0'`;
    expect((await query(sql)).rows).toEqual([['"Oslo"', "Oslo", true, 2, ['"a"', '"b"']]]);
  });

  it("may put texts together as people do", async () => {
    const sql = `select replace(replace(replace(lower(trim(in_plan)), ' ', '_'), '-', '_'), '&', 'and') || '/' ||
      regexp_replace(regexp_replace(record_id, '[^0-9]', '', 'g'), '^', 'no. ') || '/' || strftime(time, '%d') ||
      strftime(time, '%m') || strftime(time, '%Y') || concat_ws('-', in_age::varchar, version, status::varchar) as text
      from churn where record_id = 'r0'`;
    expect((await query(sql)).rows).toEqual([[expect.stringMatching(/^gold\/no\. 0\/\d{8}20\.0-1-200$/)]]);
  });

  it("that fails half way is a failure with its reason, not a shorter answer", async () => {
    const long = ["a", "b", "c"]
      .map((row) => `${row}.in_plan || ${row}.record_id || ${row}.out_answer`)
      .join(" || ");
    const sql = `select if(a.in_age + b.in_age + c.in_age = 177, 'many', '1')::int as n, ${long} as one, ${long} || 'x' as other
      from churn a, churn b, churn c`;
    for (const accept of ["text/csv", "application/x-ndjson"]) {
      const response = await ask(sql, accept);
      expect(response.status).toBe(400);
      expect(await response.text()).toMatch(
        /the query fails: Conversion Error: Could not convert string 'many'/,
      );
    }
    const whole = await ask(sql.replace("'many'", "'2'"), "text/csv");
    expect((await whole.text()).split("\n").length).toBe(ROWS ** 3 + 2);
  });

  it("has no form that accept does not name", async () => {
    const response = await ask("select 1", "application/vnd.apache.arrow.stream");
    expect([response.status, await response.text()]).toEqual([415, expect.stringContaining("text/csv")]);
  });
});

describe("a hostile name", () => {
  const names = [
    'a"b',
    "a'b",
    'x" from main.outbox; --',
    "'; drop table main.records_hostile; --",
    "日本語",
    "__proto__",
    "constructor",
    "toString",
    "🙂",
    "a\\b",
    "$1",
    "#{x}",
    "A",
    "a",
    "İ",
    "\u202eabc",
    " ",
    "record_id",
    "a.b",
    "a,b",
    "`",
    "\u2028",
    "x".repeat(256),
  ];

  it("of a feature is stored, queried and written as what it is", async () => {
    const inputs = `{${names.map((name, i) => `${JSON.stringify(name)}:${i}`).join(",")}}`;
    const response = await fetch(`${server.url}/v1/models/hostile/records`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `[{"id":"1","inputs":${inputs},"outputs":{"__proto__":"yes","hasOwnProperty":true}}]`,
    });
    expect(await response.json()).toMatchObject({ stored: 1, rejected: 0 });
    await vi.waitFor(
      async () =>
        expect((await query("select view from results.models where model = 'hostile'")).rows).toHaveLength(1),
      { timeout: 10_000 },
    );
    const { rows: columns } = await query(
      `select name, "column" from results.columns where model = 'hostile' and role = 'input'`,
    );
    expect(columns.map(([name]) => name)).toEqual(names);
    for (const [i, [, column]] of columns.entries()) {
      const quoted = `"${String(column).replaceAll('"', '""')}"`;
      expect((await query(`select ${quoted} from hostile where ${quoted} = ${i}`)).rows).toEqual([[i]]);
    }
    const { columns: told, rows } = await query("select * exclude (time, received_at) from hostile");
    const cells = new Map(told.map(({ name }, i) => [name, rows[0]?.[i]]));
    expect(names.map((_, i) => cells.get(String(columns[i]?.[1])))).toEqual(names.map((_, i) => i));
    expect([cells.get("out___proto__"), cells.get("out_hasOwnProperty")]).toEqual(["yes", true]);
    const csv = await (await ask("from hostile", "text/csv")).text();
    expect(csv).toContain(',"in_a""b",in_a\'b,');
    const line = await (await ask("from hostile", "application/x-ndjson")).text();
    expect(Object.entries(JSON.parse(line)).map(([key]) => key)).toContain("in___proto__");
    expect((await ask("from hostile", "application/vnd.apache.parquet")).status).toBe(200);
    expect((await query("select count(*) from churn")).rows).toEqual([[ROWS]]);
  });

  it.each([
    ["of 10 kB", "y".repeat(10_000)],
    ["with a control character", "a\nb"],
    ["with a character 0", "a\0b"],
    ["that is empty", ""],
  ])("of a feature %s is refused, and the record named", async (_, name) => {
    const answer = await post("/v1/models/hostile/records", [{ id: "2", inputs: { [name]: 1 } }]);
    expect(answer).toMatchObject({
      stored: 0,
      rejected: 1,
      errors: [{ index: 0, path: expect.stringMatching(/^inputs/) }],
    });
  });

  it("of a model is a view like any other", async () => {
    const models =
      "select main views results constructor hasOwnProperty records_churn duckdb_tables pg_catalog Churn";
    const views = models.split(" ").map((model) => [model, model === "Churn" ? "Churn_2" : model] as const);
    for (const [i, [model]] of views.entries()) {
      await post(`/v1/models/${model}/records`, [{ id: "1", inputs: { a: i } }]);
    }
    const there = () => query("select model, view from results.models");
    await vi.waitFor(async () => expect((await there()).rows).toEqual(expect.arrayContaining(views)), {
      timeout: 10_000,
      interval: 100,
    });
    for (const [i, [, view]] of views.entries()) {
      expect((await query(`select in_a from "${view}"`)).rows).toEqual([[i]]);
    }
  });

  it.each(['a"b', "a'b", "__proto__", "日本", "a b", "a;b", "../x", "x".repeat(10_000), "-x", "a%00b"])(
    "of a model that is no name is refused: %s",
    async (model) => {
      const response = await fetch(`${server.url}/v1/models/${encodeURIComponent(model)}/records`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '[{"id":"1","inputs":{"a":1}}]',
      });
      expect([400, 404, 414, 431]).toContain(response.status);
    },
  );
});
