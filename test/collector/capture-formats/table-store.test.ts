import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { post } from "../post.ts";
import { parquetOf, send, startCapture } from "./capture-server.ts";

const parquet = { "content-type": "application/vnd.apache.parquet" };
const at = "/v1/models/m/records?outputs=score";
/** Slices of a thousand rows, so that a small table is several. */
const sliced = { sliceRows: 1_000 };

/** Rows with every kind of column that a table may be stored by as it lies. */
const rows = (count: number, from = 0) => `select 'id-' || i as id, (i % 3)::integer as row,
    make_timestamptz(1760000000123456 + i * 1000000000) as time, ['v1', 'v2', null][1 + i % 3] as version,
    if(i % 5 = 0, null, 200 + (i % 2) * 300)::smallint as status, i / 7.0 as latency_ms, if(i % 4 = 0, null, 1 + i % 4) as weight,
    sin(i) as wave, (i * 1000)::bigint as big, (i / 3)::decimal(9, 3) as money, if(i % 11 = 0, null, cos(i)::float) as single,
    ['red', 'gr"een', null][1 + i % 3] as colour, i % 2 = 0 as even, make_date(2026, 1, 1 + (i % 28)::integer) as day,
    random() as score
  from range(${from}, ${from + count}) t(i)`;

describe("tables stored as they lie", () => {
  it("give the same rows as the same records in JSON", async () => {
    const { api, collector, database, dataDir } = await startCapture(sliced);
    const file = await parquetOf(database, dataDir, rows(3_500));
    const { answer } = await send(api, at, file, parquet);
    expect(answer).toEqual({ received: 3_500, stored: 3_500, duplicates: 0, rejected: 0, errors: [] });
    await collector.flush();
    const stored = await database.all<Record<string, unknown>>("select * from main.records_m order by rowid");
    const json = stored.map((record) => {
      const features = (prefix: string) =>
        Object.fromEntries(
          Object.entries(record)
            .filter(([name, value]) => name.startsWith(prefix) && value !== null)
            .map(([name, value]) => [name.slice(prefix.length), value]),
        );
      const optional = ["version", "status", "latency_ms", "weight"].filter((name) => record[name] !== null);
      return {
        id: record.record_id,
        row: record.row,
        time: record.time,
        ...Object.fromEntries(optional.map((name) => [name, record[name]])),
        inputs: features("in_"),
        outputs: features("out_"),
      };
    });
    const { answer: second } = await send(api, "/v1/models/again/records", JSON.stringify(json), {
      "content-type": "application/json",
    });
    expect(second).toMatchObject({ stored: 3_500 });
    await collector.flush();
    const columns = await database.all<{ name: string }>(
      "select column_name as name from duckdb_columns() where table_name = 'records_again' and column_name not in ('received_at', 'time')",
    );
    const names = columns.map(({ name }) => name).sort();
    const all = (table: string) =>
      database.all(`select ${names.join(", ")} from main.${table} order by record_id, row`);
    expect(await all("records_again")).toEqual(await all("records_m"));
    const hours = (model: string) =>
      database.all(`select hour_start, records from touched_hours where model = '${model}' order by all`);
    expect(await hours("m")).toEqual(await hours("again"));
    expect(await database.all("select min(time) as t from views.m")).toEqual([
      { t: new Date("2025-10-09T08:53:20.123Z") },
    ]);
  });

  it("store each record once, whatever came before, comes twice in the table or comes again", async () => {
    const first = await startCapture(sliced);
    await post(first.api, "records", [{ id: "id-8", row: 2, inputs: { wave: 1 } }]);
    const sql = `from (${rows(1_500)}) union all from (${rows(1_500, 500)}) union all from (${rows(10)})`;
    const file = await parquetOf(first.database, first.dataDir, sql);
    const { answer } = await send(first.api, at, file, parquet);
    expect(answer).toMatchObject({ received: 3_010, stored: 1_999, duplicates: 1_011, rejected: 0 });
    expect((await send(first.api, at, file, parquet)).answer).toMatchObject({ stored: 0, duplicates: 3_010 });
    await first.stop();
    const second = await startCapture({ ...sliced, dataDir: first.dataDir });
    expect((await send(second.api, at, file, parquet)).answer).toMatchObject({
      stored: 0,
      duplicates: 3_010,
    });
    const live = [{ id: "id-1998", row: 0, inputs: {} }];
    expect((await post(second.api, "records", live)).answer).toMatchObject({ duplicates: 1 });
    expect(await second.database.all("select count(*) as n from views.m")).toEqual([{ n: 2_000 }]);
  });

  it.each([
    { says: "an infinite value", sql: "if(i = 1500, 'inf'::double, i)" },
    { says: "a whole number beyond 2^53", sql: "if(i = 1500, 9007199254740993, i)::bigint" },
    { says: "values of another type than the model's", sql: "i::varchar" },
    { says: "nested values", sql: "[i]" },
  ])("with $says go by way of JSON, and nothing is lost", async ({ sql }) => {
    const { api, collector, database, dataDir } = await startCapture(sliced);
    await post(api, "records", [{ id: "before", inputs: { x: 1 } }]);
    const select = `select 'id-' || i as id, ${sql} as x from range(3000) t(i)`;
    const file = await parquetOf(database, dataDir, select);
    expect((await send(api, "/v1/models/m/records", file, parquet)).answer).toMatchObject({
      received: 3_000,
      stored: 3_000,
      errors: [],
    });
    await collector.flush();
    expect(await database.all("select count(*) as n, count(distinct record_id) as ids from views.m")).toEqual(
      [{ n: 3_001, ids: 3_001 }],
    );
    const [odd] = await database.all("select in_x, overflow from views.m where record_id = 'id-1500'");
    expect(odd).toMatchObject({
      overflow: sql.includes("if") ? expect.stringMatching(/Infinity|9007199254740993/) : expect.anything(),
    });
  });

  it("with NaN store it as a missing value", async () => {
    const { api, collector, database, dataDir } = await startCapture(sliced);
    const sql = "select i as id, if(i % 2 = 0, 'nan'::double, i) as x from range(2000) t(i)";
    const file = await parquetOf(database, dataDir, sql);
    await send(api, "/v1/models/m/records", file, parquet);
    await collector.flush();
    expect(
      await database.all("select count(*) as n, count(in_x) as x, max(in_x) as most from views.m"),
    ).toEqual([{ n: 2_000, x: 1_000, most: 1_999 }]);
  });

  it.each([
    { says: "a status beyond 999", sql: "1000 as status", path: "status" },
    { says: "a negative latency", sql: "-1.5 as latency_ms", path: "latency_ms" },
    { says: "no name for a version", sql: "'no spaces' as version", path: "version" },
    { says: "a negative row", sql: "-1 as row", path: "row" },
    { says: "too long an id", sql: "repeat('x', 600) as id", path: "id" },
  ])("with $says have that row named", async ({ sql, path }) => {
    const { api, database, dataDir } = await startCapture(sliced);
    const good = sql.replace(/^.* as/, path === "version" || path === "id" ? "i::varchar as" : "1 as");
    const select = `select ${good}, i as x from range(1200) t(i) union all select ${sql}, 1 as x`;
    const file = await parquetOf(database, dataDir, select);
    const { answer } = await send(api, "/v1/models/m/records", file, parquet);
    expect(answer).toMatchObject({
      received: 1_201,
      stored: 1_200,
      rejected: 1,
      errors: [{ index: 1_200, path }],
    });
  });

  it("that could not be stored leave nothing behind, and can be sent again", async () => {
    const { api, database, dataDir } = await startCapture(sliced);
    const file = await parquetOf(database, dataDir, rows(2_500));
    rmSync(join(dataDir, "loading"), { recursive: true });
    await expect(send(api, at, file, parquet)).rejects.toThrow(/ENOENT/);
    mkdirSync(join(dataDir, "loading"));
    expect(await database.all("select model from collected_models")).toEqual([]);
    expect((await send(api, at, file, parquet)).answer).toMatchObject({ stored: 2_500, duplicates: 0 });
  });

  it("and records that come at the same time are stored once each", async () => {
    const { api, collector, database, dataDir } = await startCapture(sliced);
    const sql = "select 'id-' || i as id, i::double as x from range(6000) t(i)";
    const file = await parquetOf(database, dataDir, sql);
    const live = Array.from({ length: 60 }, (_, part) =>
      Array.from({ length: 200 }, (_, i) => ({ id: `id-${part * 100 + i}`, inputs: { x: part * 100 + i } })),
    );
    const uploads = [0, 1].map(() => send(api, "/v1/models/m/records", file, parquet));
    const posts = live.map((records) => post(api, "records", records));
    const answers = [...(await Promise.all(uploads)), ...(await Promise.all(posts))];
    const stored = answers.reduce((sum, { answer }) => sum + Number(answer.stored ?? 0), 0);
    await collector.flush();
    const [found] = await database.all<{ n: number; ids: number }>(
      "select count(*) as n, count(distinct record_id) as ids from views.m",
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(found).toEqual({ n: 6_100, ids: 6_100 });
    expect(stored).toBe(6_100);
  });
});
