import { describe, expect, it } from "vitest";
import type { CollectSettings } from "../../collector/collect-settings.ts";
import type { StoredType } from "../../store/models.ts";
import { post } from "./post.ts";
import { startCollector } from "./test-collector.ts";

function typed(types: Readonly<Record<string, StoredType>>): { readonly collect: CollectSettings } {
  return { collect: { models: { m: { types } } } };
}

/** Every record of the model, its overflow as the object that it is. */
async function stored({ collector, database }: Awaited<ReturnType<typeof startCollector>>) {
  await collector.flush();
  const rows = await database.all<Record<string, unknown> & { overflow: string | null }>(
    "select * exclude (received_at) from views.m order by time",
  );
  return rows.map(({ overflow, ...row }) => ({
    ...row,
    overflow: overflow === null ? null : (JSON.parse(overflow) as unknown),
  }));
}

const values = [
  ...[
    "31",
    4.5,
    null,
    true,
    9007199254740991,
    -0.25,
    "",
    'q"\\x\u0007ä',
    [1, null, { a: null }],
    { b: null },
    false,
  ],
  ...[1e300, 12, 0.1, "true", "NaN", "12"],
];
/** Each value once for each feature, another one first for each. */
const names = ["age", 'a"b\\c', "ö", "$.x", "__proto__", "exact"] as const;
const records = values.map((_, i) => ({
  id: `r${i}`,
  time: new Date(Date.UTC(2026, 0, 1) + i * 600_000).toISOString(),
  inputs: Object.defineProperties(
    { other: i % 2 === 0 ? i : "odd" },
    Object.fromEntries(
      names.map((name, n) => [name, { value: values[(i + n) % values.length], enumerable: true }]),
    ),
  ),
}));

describe("a feature whose type is set", () => {
  it("has it whatever comes first, scanned or parsed, and as a table", async () => {
    const started = await startCollector(typed({ age: "DOUBLE", on: "BOOLEAN" }));
    const sent = [
      '{"id":"1","time":"2026-01-01T00:00:00Z","inputs":{"age":"31","on":1}}',
      '{"\\u0069d":"2","time":"2026-01-01T00:00:01Z","inputs":{"age":32,"on":true},"outputs":{"age":"x"}}',
      '{"id":"3","time":"2026-01-01T00:00:02Z","inputs":{"age":33},"outputs":{"age":1}}',
    ];
    await post(started.api, "records", sent.join("\n"), { "content-type": "application/x-ndjson" });
    expect(await stored(started)).toMatchObject([
      { in_age: null, in_on: null, out_age: null, overflow: { in_age: "31", in_on: 1 } },
      { in_age: 32, in_on: true, out_age: null, overflow: { out_age: "x" } },
      { in_age: 33, in_on: null, out_age: 1, overflow: null },
    ]);
  });

  it.each<{ type: StoredType }>([{ type: "DOUBLE" }, { type: "VARCHAR" }, { type: "BOOLEAN" }])(
    "has $type from the next start on, with all that is stored, as if it had been so from the first record on",
    async ({ type }) => {
      const all = typed(
        Object.fromEntries(names.filter((name) => name !== "__proto__").map((name) => [name, type])),
      );
      const always = await startCollector(all);
      await post(always.api, "records", records);
      const first = await startCollector();
      await post(first.api, "records", records);
      const before = await stored(first);
      await first.stop();
      const second = await startCollector({ ...all, dataDir: first.dataDir });
      const expected = await stored(always);
      expect(expected).not.toEqual(before);
      expect(await stored(second)).toEqual(expected);
      // And goes on as that.
      const more = [{ ...records[0], id: "more", time: "2026-02-01T00:00:00Z" }];
      await post(always.api, "records", more);
      await post(second.api, "records", more);
      expect(await stored(second)).toEqual(await stored(always));
      expect((await post(second.api, "records", records)).answer).toMatchObject({ stored: 0 });
    },
  );

  it("loses nothing on the way there and back", async () => {
    const first = await startCollector();
    await post(first.api, "records", records);
    const before = await stored(first);
    await first.stop();
    const second = await startCollector({ ...typed({ age: "DOUBLE" }), dataDir: first.dataDir });
    expect(await second.database.all("select type from model_columns where name = 'age'")).toEqual([
      { type: "DOUBLE" },
    ]);
    await second.stop();
    const third = await startCollector({ ...typed({ age: "VARCHAR" }), dataDir: first.dataDir });
    expect(await stored(third)).toEqual(before);
  });

  it("is counted anew, hour by hour, and only where it had another type", async () => {
    const loads = (database: Awaited<ReturnType<typeof startCollector>>["database"]) =>
      database.all<{ load: number }>("select distinct load_number as load from touched_hours");
    const first = await startCollector();
    await post(first.api, "records", records);
    await first.stop();
    const told: object[] = [];
    const options = {
      ...typed({ age: "DOUBLE" }),
      dataDir: first.dataDir,
      log: (_: string, fields: object) => told.push(fields),
    };
    const second = await startCollector(options);
    expect(await loads(second.database)).toEqual([{ load: 2 }]);
    expect(told).toEqual([{ model: "m", column: "in_age", before: "VARCHAR" }]);
    await second.stop();
    const third = await startCollector(options);
    expect(await loads(third.database)).toEqual([{ load: 2 }]);
    expect(told).toHaveLength(1);
  });
});
