import { describe, expect, it } from "vitest";
import { post } from "./post.ts";
import { startCollector } from "./test-collector.ts";

const ndjson = { "content-type": "application/x-ndjson" };
const one = { id: "a", time: "2026-01-01T10:00:00Z", inputs: { x: 1 } };

describe("records", () => {
  it("that are bad are named by index and path, and the good ones of the batch are kept", async () => {
    const { api, collector, database, counts } = await startCollector();
    const lines = [
      '{"id":"good-1","inputs":{"x":1}}',
      '{"id":"b","inputs":3}',
      "not json",
      '{"id":"c","inputs":{"x":1},"when":"now"}',
      '{"id":"d","time":"yesterday","inputs":{"x":1}}',
      '{"id":"e","row":-1,"inputs":{"x":1}}',
      '{"id":"","inputs":{"x":1}}',
      '{"id":"f","inputs":{"":1}}',
      '{"id":"g","inputs":{"x":NaN}}',
      '{"id":"h","inputs":{"x":1e999}}',
      '{"id":"i"}',
      "[]",
      '{"id":"j","version":"no spaces","inputs":{}}',
      "{}",
      '{"id":"good-2","inputs":{"x":2}}',
    ];
    const { status, answer } = await post(api, "records", lines.join("\n"), ndjson);
    expect(status).toBe(202);
    expect(answer).toMatchObject({ received: 15, stored: 2, duplicates: 0, rejected: 13 });
    expect(answer.errors.map(({ index, path }) => [index, path])).toEqual([
      [1, "inputs"],
      [2, ""],
      [3, ""],
      [4, "time"],
      [5, "row"],
      [6, "id"],
      [7, 'inputs[""]'],
      [8, ""],
      [9, "inputs.x"],
      [10, "inputs"],
      [11, ""],
      [12, "version"],
      [13, "inputs"],
    ]);
    expect(answer.errors[2]?.message).toContain("when");
    expect(answer.errors[1]?.message).toMatch(/^is not JSON: /);
    await collector.flush();
    expect(await database.all("select record_id, in_x from views.m order by 1")).toEqual([
      { record_id: "good-1", in_x: 1 },
      { record_id: "good-2", in_x: 2 },
    ]);
    expect(counts).toMatchObject({
      "leeway_records_total{m,stored}": 2,
      "leeway_records_total{m,rejected}": 13,
    });
  });

  it("that are all bad are answered 202 too, the first hundred named and all counted, and leave nothing behind", async () => {
    const { api, collector, database } = await startCollector();
    const { status, answer } = await post(api, "records", "[]\n".repeat(250), ndjson);
    expect(status).toBe(202);
    expect(answer).toMatchObject({ received: 250, stored: 0, rejected: 250 });
    expect(answer.errors).toHaveLength(100);
    await collector.flush();
    expect(await database.all("select * from collected_models")).toEqual([]);
  });

  it("on a line that is not UTF-8 are refused alone", async () => {
    const { api } = await startCollector();
    const body = Buffer.concat([
      Buffer.from('{"inputs":{"x":1}}\n{"inputs":{"x":"'),
      Buffer.of(0xc3, 0x28),
      Buffer.from('"}}\n{"inputs":{"x":2}}\n'),
    ]);
    expect((await post(api, "records", body, ndjson)).answer).toMatchObject({
      stored: 2,
      errors: [{ index: 1, path: "", message: "is not UTF-8" }],
    });
  });

  it("of the same id and row are duplicates: in one request, in later ones, after a restart", async () => {
    const first = await startCollector();
    const again = [one, { ...one, row: 1 }, { ...one, inputs: { x: 99 } }, { ...one, id: "b" }];
    expect((await post(first.api, "records", again)).answer).toMatchObject({ stored: 3, duplicates: 1 });
    expect((await post(first.api, "records", again)).answer).toMatchObject({ stored: 0, duplicates: 4 });
    await first.collector.flush();
    expect((await post(first.api, "records", again)).answer).toMatchObject({ stored: 0, duplicates: 4 });
    await first.stop();
    const second = await startCollector({ dataDir: first.dataDir });
    expect((await post(second.api, "records", [...again, { ...one, id: "c" }])).answer).toMatchObject({
      stored: 1,
      duplicates: 4,
    });
    await second.collector.flush();
    expect(await second.database.all('select record_id, "row", in_x from views.m order by 1, 2')).toEqual([
      { record_id: "a", row: 0, in_x: 1 },
      { record_id: "a", row: 1, in_x: 1 },
      { record_id: "b", row: 0, in_x: 1 },
      { record_id: "c", row: 0, in_x: 1 },
    ]);
  });

  it("sent by many at the same moment are stored once", async () => {
    const { api, collector, database } = await startCollector();
    const body = Array.from({ length: 50 }, (_, i) => ({ id: `r${i}`, inputs: { x: i } }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(api, "records", body)));
    expect(answers.reduce((sum, { answer }) => sum + answer.stored, 0)).toBe(50);
    await collector.flush();
    expect(await database.all("select count(*) as n from records_m")).toEqual([{ n: 50 }]);
  });

  it("without an id get one of their own, and with an idempotency key the same again", async () => {
    const { api, collector, database } = await startCollector();
    const anonymous = [{ inputs: { x: 1 } }, { inputs: { x: 1 } }];
    await post(api, "records", anonymous);
    expect((await post(api, "records", anonymous)).answer).toMatchObject({ stored: 2 });
    const key = { "content-type": "application/json", "idempotency-key": "k-1" };
    expect((await post(api, "records", anonymous, key)).answer).toMatchObject({ stored: 2 });
    expect((await post(api, "records", anonymous, key)).answer).toMatchObject({ stored: 0, duplicates: 2 });
    await collector.flush();
    const rows = await database.all<{ id: string }>("select record_id as id from records_m");
    expect(new Set(rows.map(({ id }) => id)).size).toBe(6);
    expect(rows.map(({ id }) => id)).toEqual(expect.arrayContaining(["k-1:0", "k-1:1"]));
    expect(rows.filter(({ id }) => /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(id))).toHaveLength(4);
  });

  it("keep numbers, texts, truth values, nested values and what is missing as they were sent", async () => {
    const { api, collector, database } = await startCollector();
    const sent = [
      { id: "1", inputs: { n: -0.5, t: "ü\u0000\n\"'", b: true, j: { a: [1, "x"] } } },
      { id: "2", inputs: { n: null } },
      {
        id: "3",
        inputs: { n: 1e308, t: "", b: false, j: [] },
        outputs: { score: 5e-324 },
        status: 200,
        latency_ms: 1.5,
      },
    ];
    await post(api, "records", sent);
    await collector.flush();
    expect(
      await database.all(
        "select in_n, in_t, in_b, in_j, out_score, status, latency_ms from views.m order by record_id",
      ),
    ).toEqual([
      {
        in_n: -0.5,
        in_t: "ü\u0000\n\"'",
        in_b: true,
        in_j: '{"a":[1,"x"]}',
        out_score: null,
        status: null,
        latency_ms: null,
      },
      { in_n: null, in_t: null, in_b: null, in_j: null, out_score: null, status: null, latency_ms: null },
      { in_n: 1e308, in_t: "", in_b: false, in_j: "[]", out_score: 5e-324, status: 200, latency_ms: 1.5 },
    ]);
  });

  it("have the time they name to the microsecond, and that of receipt when they name none", async () => {
    const { api, collector, database } = await startCollector({
      now: () => new Date("2026-05-05T05:05:05.005Z"),
    });
    const times = [
      "2026-01-01T00:00:00.123456789+05:30",
      "0001-01-01T00:00:00Z",
      "9999-12-31T23:59:59.999999Z",
    ];
    await post(api, "records", [...times.map((time) => ({ time, inputs: {} })), { inputs: {} }]);
    await collector.flush();
    const rows = await database.all<{ time: string }>(
      "select time::varchar as time from records_m order by time",
    );
    expect(rows.map(({ time }) => time)).toEqual([
      "0001-01-01 00:00:00+00",
      "2025-12-31 18:30:00.123456+00",
      "2026-05-05 05:05:05.005+00",
      "9999-12-31 23:59:59.999999+00",
    ]);
  });

  it("bring features when they bring them, null before", async () => {
    const { api, collector, database } = await startCollector();
    await post(api, "records", [one]);
    await collector.flush();
    await post(api, "records", [{ ...one, id: "b", inputs: { x: 2, later: "new" } }]);
    await collector.flush();
    expect(await database.all("select in_x, in_later from views.m order by record_id")).toEqual([
      { in_x: 1, in_later: null },
      { in_x: 2, in_later: "new" },
    ]);
  });

  it("with a value of another type keep it apart, and it is counted", async () => {
    const { api, collector, database, counts } = await startCollector();
    const values = [1, "two", true, { three: 3 }, null, 6];
    await post(
      api,
      "records",
      values.map((x, i) => ({ id: String(i), inputs: { x } })),
    );
    await collector.flush();
    expect(await database.all("select in_x, overflow from views.m order by record_id")).toEqual([
      { in_x: 1, overflow: null },
      { in_x: null, overflow: '{"in_x":"two"}' },
      { in_x: null, overflow: '{"in_x":true}' },
      { in_x: null, overflow: '{"in_x":{"three":3}}' },
      { in_x: null, overflow: null },
      { in_x: 6, overflow: null },
    ]);
    expect(counts["leeway_type_mismatches_total{m}"]).toBe(3);
  });

  it("keep whole numbers beyond 2^53 digit by digit, beside the nearest double", async () => {
    const { api, collector, database, counts } = await startCollector();
    await post(
      api,
      "records",
      '[{"id":"1","inputs":{"x":9223372036854775807}},{"id":"2","inputs":{"x":9007199254740991}}]',
    );
    await collector.flush();
    expect(await database.all("select in_x, overflow from views.m order by record_id")).toEqual([
      {
        in_x: 2 ** 63,
        overflow: '{"exact":{"in_x":"9223372036854775807"}}',
      },
      { in_x: 9007199254740991, overflow: null },
    ]);
    expect(counts["leeway_type_mismatches_total{m}"]).toBeUndefined();
  });

  it("may nest a hundred levels and no more", async () => {
    const { api, collector, database } = await startCollector();
    const nested = (levels: number) => `{"inputs":{"x":${"[".repeat(levels)}${"]".repeat(levels)}}}`;
    const body = [nested(100), nested(101), nested(5_000)].join("\n");
    expect((await post(api, "records", body, ndjson)).answer).toMatchObject({
      stored: 1,
      errors: [
        { index: 1, path: "inputs.x", message: "is nested deeper than 100 levels" },
        { index: 2, path: "inputs.x", message: "is nested deeper than 100 levels" },
      ],
    });
    await collector.flush();
    expect(await database.all("select count(in_x) as n from views.m")).toEqual([{ n: 1 }]);
  });

  it("may have features of any name", async () => {
    const names = [
      '"',
      "'; drop table records_m; --",
      "x y",
      "ключ",
      "🙂",
      "__proto__",
      "constructor",
      "toString",
      "a.b",
      "X",
      "x",
      "x_2",
      "select",
      "\\",
      "$1",
      "l".repeat(256),
    ];
    const { api, collector, database } = await startCollector();
    const inputs = JSON.stringify(Object.fromEntries(names.map((name, i) => [name, i])));
    const text = inputs.includes('"__proto__":') ? inputs : inputs.replace("{", '{"__proto__":5,');
    const { answer } = await post(
      api,
      "records",
      `[{"id":"a","inputs":${text}},{"id":"b","inputs":${text}}]`,
    );
    expect(answer).toMatchObject({ stored: 2, rejected: 0 });
    await collector.flush();
    const columns = await database.all<{ name: string; column: string }>(
      `select name, column_name as "column" from model_columns where model = 'm'`,
    );
    expect(columns.map(({ name }) => name).sort()).toEqual([...names].sort());
    const [row] = await database.all<Record<string, unknown>>("select * from views.m where record_id = 'a'");
    for (const { name, column } of columns) expect(row?.[column], name).toBe(names.indexOf(name));
  });

  it.each([
    ["a control character", "a\u0007b"],
    ["more than 256 characters", "l".repeat(257)],
    ["nothing", ""],
  ])("may not have a feature whose name is %s", async (_, name) => {
    const { api } = await startCollector();
    const { answer } = await post(api, "records", [{ inputs: { [name]: 1 } }]);
    expect(answer).toMatchObject({ stored: 0, rejected: 1 });
    expect(answer.errors[0]?.path.length).toBeLessThanOrEqual(301);
  });

  it.each(["a".repeat(512), "ü".repeat(200), "🙂", "with space", '"', 12, 9007199254740991])(
    "may have the id %j",
    async (id) => {
      const { api, collector, database } = await startCollector();
      expect((await post(api, "records", [{ id, inputs: {} }])).answer.stored).toBe(1);
      await collector.flush();
      expect(await database.all("select record_id as id from records_m")).toEqual([{ id: String(id) }]);
    },
  );

  it.each(["", "a".repeat(513), 1.5, null, true, "\ud800"])("may not have the id %j", async (id) => {
    const { api } = await startCollector();
    expect((await post(api, "records", [{ id, inputs: {} }])).answer).toMatchObject({
      stored: 0,
      errors: [{ index: 0, path: "id" }],
    });
  });
});

it("refuses everything once it is closing", async () => {
  const { api, collector } = await startCollector();
  await collector.close();
  expect(await post(api, "records", [one])).toMatchObject({ status: 503, retryAfter: "2" });
});

it("exports a window as Parquet with its digest", async () => {
  const { api, database } = await startCollector();
  await post(api, "records", [one, { ...one, id: "b", time: "2026-01-02T00:00:00Z" }]);
  await post(api, "labels", [{ id: "a", label: true }]);
  const answer = await api.request("/v1/models/m/records?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z");
  expect(answer.headers.get("x-leeway-rows")).toBe("1");
  const file = Buffer.from(await answer.arrayBuffer());
  const digest = await crypto.subtle.digest("SHA-256", file);
  expect(answer.headers.get("digest")).toBe(`sha-256=${Buffer.from(digest).toString("base64")}`);
  expect(file.subarray(0, 4).toString()).toBe("PAR1");
  const missing = await api.request(
    "/v1/models/none/records?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z",
  );
  expect(missing.status).toBe(404);
  expect(await database.all("select 1 as one")).toEqual([{ one: 1 }]);
});
