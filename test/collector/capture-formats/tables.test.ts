import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { post } from "../post.ts";
import { parquetOf, send, startCapture } from "./capture-server.ts";

const csv = { "content-type": "text/csv" };
const parquet = { "content-type": "application/vnd.apache.parquet" };

describe("tables", () => {
  it("an export is an upload: records and labels are the same again", async () => {
    const { api, collector, database, dataDir } = await startCapture();
    await post(api, "records", [
      { id: "a", time: "2026-01-01T10:00:00.123456Z", version: "3", inputs: { age: 31, town: "Ulm" } },
      { id: "a", row: 1, time: "2026-01-01T10:00:01Z", inputs: { age: 1e-7, town: 'a"b,c\n' } },
      {
        id: "b",
        time: "2026-01-01T10:00:02Z",
        deployment: "blue",
        status: 200,
        latency_ms: 1.5,
        inputs: { "odd name": true },
        outputs: { p: 0.5, tags: ["x", { y: 1 }] },
      },
    ]);
    await post(api, "labels", [{ id: "b", label: 1 }]);
    await collector.flush();
    const exported = await api.request(
      "/v1/models/m/records?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z",
    );
    const file = new Uint8Array(await exported.arrayBuffer());
    const { status, answer } = await send(api, "/v1/models/again/records", file, parquet);
    expect([status, answer]).toMatchObject([202, { stored: 4, rejected: 0, errors: [] }]);
    await collector.flush();
    const columns =
      'record_id, row, time, version, deployment, status, latency_ms, in_age, in_town, "in_odd name", out_p, out_tags, label';
    const rows = (view: string) => database.all(`select ${columns} from views.${view} order by 1, 2`);
    expect(await rows("again")).toEqual(await rows("m"));
    expect(await rows("m")).toHaveLength(3);
    expect(readdirSync(join(dataDir, "exports"))).toEqual([]);
    expect(readdirSync(join(dataDir, "loading"))).toEqual([]);
  });

  it("a CSV of features and predictions needs only to be told what was predicted", async () => {
    const { api, collector, database } = await startCapture();
    const body =
      'id,time,age,town,p\n7,2026-01-01 10:00:00,31,"Ulm, Donau",0.5\n8,2026-01-01 11:00:00,,Bonn,1\n';
    const { answer } = await send(api, "/v1/models/m/records?outputs=p", body, csv);
    expect(answer).toEqual({ received: 2, stored: 2, duplicates: 0, rejected: 0, errors: [] });
    await collector.flush();
    expect(
      await database.all("select record_id, time, in_age, in_town, out_p from views.m order by 1"),
    ).toEqual([
      {
        record_id: "7",
        time: new Date("2026-01-01T10:00:00Z"),
        in_age: 31,
        in_town: "Ulm, Donau",
        out_p: 0.5,
      },
      { record_id: "8", time: new Date("2026-01-01T11:00:00Z"), in_age: null, in_town: "Bonn", out_p: 1 },
    ]);
  });

  it("names of columns can be told, and columns left out", async () => {
    const { api, collector, database } = await startCapture();
    const body = "key,when,age,churned,note\nx,2026-01-01T10:00:00Z,31,1,hello\n";
    const query = "id=key&time=when&label=churned&ignore=note";
    const { answer } = await send(api, `/v1/models/m/records?${query}`, body, csv);
    expect(answer).toMatchObject({ stored: 2, rejected: 0 });
    await collector.flush();
    expect(await database.all("select * exclude (received_at) from views.m")).toEqual([
      expect.objectContaining({
        record_id: "x",
        time: new Date("2026-01-01T10:00:00Z"),
        in_age: 31,
        label: 1,
      }),
    ]);
  });

  it("sent twice, also gzipped, is stored once, with ids or without", async () => {
    const { api } = await startCapture();
    const rows = Array.from({ length: 5_000 }, (_, i) => `${i},${i / 7}`).join("\n");
    const body = `a,b\n${rows}\n`;
    const first = await send(api, "/v1/models/m/records", body, csv);
    expect(first.answer).toMatchObject({ received: 5_000, stored: 5_000 });
    const zipped = { ...csv, "content-encoding": "gzip" };
    const second = await send(api, "/v1/models/m/records", gzipSync(body), zipped);
    expect(second.answer).toMatchObject({ received: 5_000, stored: 0, duplicates: 5_000 });
    const other = { ...csv, "idempotency-key": "another" };
    expect((await send(api, "/v1/models/m/records", body, other)).answer).toMatchObject({ stored: 5_000 });
  });

  it("a column of CSV that is empty says nothing of its type: numbers may come later, in another file or further down", async () => {
    const { api, collector, database } = await startCapture();
    const late = Array.from({ length: 30_000 }, (_, i) => `r${i},${i},${i < 25_000 ? "" : i / 4}`);
    for (const body of ["id,x,y\na,1,\nb,2,\n", `id,x,y\n${late.join("\n")}\n`]) {
      const { answer } = await send(api, "/v1/models/m/records", body, csv);
      expect(answer).toMatchObject({ rejected: 0, duplicates: 0 });
    }
    await collector.flush();
    expect(
      await database.all(
        "select count(*) as n, count(in_y) as y, max(in_y) as most, count(overflow) as odd from views.m",
      ),
    ).toEqual([{ n: 30_002, y: 5_000, most: 29_999 / 4, odd: 0 }]);
  });

  it("values of every type that Parquet has are kept", async () => {
    const { api, collector, database, dataDir } = await startCapture();
    const file = await parquetOf(
      database,
      dataDir,
      `select 'r' as id, 9007199254740993::bigint as big, 1.25::decimal(9,2) as money, true as yes, 'NaN'::double as nan,
         '-infinity'::float as low, date '2026-01-01' as day, timestamptz '2026-01-01 10:00:00+02' as "when",
         [1,2] as list, {'a': 1} as nested, uuid '0190a6f2-0000-7000-8000-000000000000' as uuid, null::integer as nothing`,
    );
    const { answer } = await send(api, "/v1/models/m/records", file, parquet);
    expect(answer).toMatchObject({ stored: 1, rejected: 0 });
    await collector.flush();
    const [row] = await database.all<Record<string, unknown>>("select * from views.m");
    expect(row).toMatchObject({
      in_big: 9007199254740992,
      in_money: 1.25,
      in_yes: true,
      in_low: "-Infinity",
      in_day: "2026-01-01",
      in_when: "2026-01-01 08:00:00+00",
      in_list: "[1,2]",
      in_nested: '{"a":1}',
      in_uuid: "0190a6f2-0000-7000-8000-000000000000",
      overflow: '{"exact":{"in_big":"9007199254740993"}}',
    });
    expect(row).not.toHaveProperty("in_nan");
  });

  it("names in CSV are what stands there: no two become one, and none is written another way", async () => {
    const { api, collector, database } = await startCapture();
    const ids = ["12345678901234567890123", "12345678901234567890124", "1e5", "100000", "2.50", "01/02/2026"];
    const rows = ids.map((id) => `${id},1.10,007,01/02/2026,2026-01-01T10:00:00Z,'x',${id}`);
    const body = ["id,version,deployment,day,at,quoted,label", ...rows, ""].join("\n");
    const { answer } = await send(api, "/v1/models/m/records", body, csv);
    expect(answer).toEqual({ received: 12, stored: 12, duplicates: 0, rejected: 0, errors: [] });
    const labels = ["id,label", ...ids.map((id) => `${id},true`), ""].join("\n");
    expect((await send(api, "/v1/models/m/labels", labels, csv)).answer).toMatchObject({ stored: 6 });
    await collector.flush();
    const stored = await database.all(
      "select record_id, version, deployment, in_day, in_at, in_quoted, label from views.m",
    );
    const row = { version: "1.10", deployment: "007", in_day: "01/02/2026", in_at: "2026-01-01T10:00:00Z" };
    const expected = ids.map((id) => ({ ...row, record_id: id, in_quoted: "'x'", label: "true" }));
    expect(new Set(stored)).toEqual(new Set(expected));
  });

  it("the month of a time is not guessed", async () => {
    const { api } = await startCapture();
    const body = "id,time,x\na,01/02/2026,1\nb,03/04/2026,2\n";
    const { answer } = await send(api, "/v1/models/m/records", body, csv);
    expect(answer).toMatchObject({
      stored: 0,
      rejected: 2,
      errors: [{ index: 0, path: "time" }, { index: 1 }],
    });
  });

  it("a quote that nobody closes is told of, and not taken for a character", async () => {
    const { api } = await startCapture();
    const { status, answer } = await send(api, "/v1/models/m/records", 'id,x\na,"b\nc,d\n', csv);
    expect([status, answer.detail]).toEqual([400, expect.stringContaining("unterminated quote")]);
  });

  it.each(["timestamp", "timestamptz", "timestamp_ms", "date"])(
    "a time beyond the year 9999 is named, and the others are kept: %s",
    async (type) => {
      const { api, collector, database, dataDir } = await startCapture();
      const times = [
        "2026-01-01",
        "1950-01-01",
        "10000-01-01",
        "200000-01-01",
        "0044-03-15 (BC)",
        "infinity",
      ];
      const list = times.map((time) => `'${time}'::${type}`).join(", ");
      const file = await parquetOf(
        database,
        dataDir,
        `select 'r' || i as id, [${list}][i + 1] as time, i as x from range(5) t(i)`,
      );
      const { answer } = await send(api, "/v1/models/m/records", file, parquet);
      expect(answer).toMatchObject({ received: 5, stored: 2, rejected: 3 });
      await collector.flush();
      expect(await database.all("select time from views.m order by time")).toEqual([
        { time: new Date("1950-01-01T00:00:00Z") },
        { time: new Date("2026-01-01T00:00:00Z") },
      ]);
    },
  );

  it("a table with more columns than a model may have changes nothing for what comes after", async () => {
    const { api, database, dataDir } = await startCapture();
    await post(api, "records", [{ id: "a", inputs: { x: 1 } }]);
    const wide = Array.from({ length: 2_000 }, (_, i) => `${i} as c${i}`).join(", ");
    const file = await parquetOf(database, dataDir, `select 'b' as id, ${wide}`);
    expect((await send(api, "/v1/models/m/records", file, parquet)).answer).toMatchObject({ rejected: 1 });
    const { answer } = await send(
      api,
      "/v1/models/m/records",
      JSON.stringify([{ id: "c", inputs: { x: 1, y: 2 } }]),
      { "content-type": "application/json" },
    );
    expect(answer).toMatchObject({ stored: 1, rejected: 0 });
  });

  it("a column of numbers is one, also where its first value is infinite", async () => {
    const { api, collector, database, dataDir } = await startCapture();
    const sql = "select 'r' || i as id, if(i = 0, 'inf'::double, i) as x from range(3) t(i)";
    const file = await parquetOf(database, dataDir, sql);
    expect((await send(api, "/v1/models/m/records", file, parquet)).answer).toMatchObject({ stored: 3 });
    await collector.flush();
    expect(
      await database.all("select in_x, overflow ->> 'in_x' as aside from views.m order by record_id"),
    ).toEqual([
      { in_x: null, aside: "Infinity" },
      { in_x: 1, aside: null },
      { in_x: 2, aside: null },
    ]);
  });

  it("a table of more columns than an insert has memory for goes by way of JSON", async () => {
    const { api, collector, database, dataDir } = await startCapture();
    const wide = Array.from({ length: 1_900 }, (_, i) => `${i} + r as c${i}`).join(", ");
    const file = await parquetOf(database, dataDir, `select 'a' || r as id, ${wide} from range(3) t(r)`);
    expect((await send(api, "/v1/models/m/records", file, parquet)).answer).toMatchObject({ stored: 3 });
    await collector.flush();
    expect(await database.all("select count(*) as n, sum(in_c1899) as sum from views.m")).toEqual([
      { n: 3, sum: 5_700 },
    ]);
  });

  it("ground truth comes as a table too", async () => {
    const { api, collector, database } = await startCapture();
    await post(api, "records", [{ id: "a", inputs: { x: 1 } }]);
    const body = "id,label,time,remark\na,yes,2026-01-02T00:00:00Z,hm\nb,no,2026-01-02T00:00:00Z,\n";
    const { answer } = await send(api, "/v1/models/m/labels", body, csv);
    expect(answer).toEqual({ received: 2, stored: 2, duplicates: 0, rejected: 0, errors: [] });
    await collector.flush();
    expect(await database.all("select record_id, label from views.m")).toEqual([
      { record_id: "a", label: "yes" },
    ]);
  });

  it("a file damaged further down is refused with the reason, and not taken for a shorter one", async () => {
    const { api, database, dataDir } = await startCapture();
    const sql = "select 'id-' || i as id, [i, i + 1] as pair, sin(i) as wave from range(140000) t(i)"; // two row groups
    const file = await parquetOf(database, dataDir, sql);
    const path = join(dataDir, "damaged.parquet");
    writeFileSync(path, file);
    const [last] = await database.all<{ at: number }>(
      `select max(data_page_offset)::double as at from parquet_metadata('${path}') where path_in_schema like 'pair%'`,
    );
    const damaged = Buffer.from(file).fill(0xff, (last?.at ?? 0) + 40, (last?.at ?? 0) + 4_000);
    const { status, answer } = await send(api, "/v1/models/m/records", damaged, parquet);
    expect({ status, detail: answer.detail }).toEqual({
      status: 400,
      detail: expect.stringContaining("the table cannot be read: "),
    });
    expect(String(answer.detail)).not.toContain(dataDir);
  });

  it("a bad row is named by its place, and the others are kept", async () => {
    const { api } = await startCapture();
    const body = "id,row,x\na,0,1\nb,-1,2\nc,0,3\n";
    const { status, answer } = await send(api, "/v1/models/m/records", body, csv);
    expect(status).toBe(202);
    expect(answer).toMatchObject({
      received: 3,
      stored: 2,
      rejected: 1,
      errors: [{ index: 1, path: "row" }],
    });
  });

  it.each([
    { says: "an empty body", body: "", status: 400, detail: /empty/ },
    { says: "no table", body: "PAR1 but not really", type: parquet, status: 400, detail: /cannot be read/ },
    {
      says: "a column called as the database calls the place of a row",
      body: "a,File_Row_Number\n1,2\n",
      status: 400,
      detail: /column is called File_Row_Number, .*: give it another name/,
    },
    {
      says: "a column that is not there",
      body: "a\n1\n",
      query: "?outputs=p",
      status: 400,
      detail: /names column "p", and the table has a/,
    },
    {
      says: "a column without a role",
      body: "in_a,b\n1,2\n",
      status: 400,
      detail: /column "b" is neither input/,
    },
    {
      says: "labels without an id",
      body: "a,l\n1,2\n",
      query: "?label=l",
      status: 400,
      detail: /needs an id/,
    },
    {
      says: "too long a file",
      body: `a\n${"1\n".repeat(600)}`,
      status: 413,
      detail: /longer than 1000 bytes/,
    },
    {
      says: "a compressed body that is cut short",
      body: gzipSync("a\n1\n").subarray(0, 15),
      encoding: "gzip",
      status: 400,
      detail: /did not arrive whole/,
    },
    { says: "an encoding nobody knows", body: "a\n1\n", encoding: "br", status: 415, detail: /br/ },
    { says: "rows of other lengths", body: "a,b\n1,2\n3\n4,5,6,7\n", status: 400, detail: /cannot be read/ },
  ])("$says is refused with $status", async ({ body, type, query, encoding, status, detail }) => {
    const { api, database, dataDir } = await startCapture({ mostUploadBytes: 1_000 });
    const headers = { ...(type ?? csv), ...(encoding ? { "content-encoding": encoding } : {}) };
    const refused = await send(api, `/v1/models/m/records${query ?? ""}`, body, headers);
    expect(refused.status).toBe(status);
    expect(refused.answer.detail).toMatch(detail);
    expect(refused.answer.detail).not.toContain(dataDir);
    expect(await database.all("select model from collected_models")).toEqual([]);
    expect(readdirSync(join(dataDir, "exports"))).toEqual([]);
    expect(readdirSync(join(dataDir, "loading"))).toEqual([]);
  });

  it.each([
    "__proto__",
    "a'b",
    'a"b',
    "); drop table x; --",
    "ä🙂",
    "position",
    "key_high",
    "number",
    "place",
    "table id",
  ])("a column called %s is a column like any", async (name) => {
    const { api, collector, database } = await startCapture();
    const body = `id,"${name.replaceAll('"', '""')}"\nx,1.5\n`;
    expect((await send(api, "/v1/models/m/records", body, csv)).answer).toMatchObject({ stored: 1 });
    await collector.flush();
    expect(await database.all("select name from model_columns")).toEqual([{ name }]);
  });
});
