import { describe, expect, it } from "vitest";
import { post } from "./post.ts";
import { startCollector } from "./test-collector.ts";

const ndjson = { "content-type": "application/x-ndjson" };
const record = { id: "a", time: "2026-01-01T10:00:00Z", inputs: { x: 1 } };

async function viewed(labels: readonly object[]): Promise<unknown[]> {
  const { api, collector, database } = await startCollector();
  await post(api, "records", [record]);
  for (const label of labels) await post(api, "labels", [label]);
  await collector.flush();
  return (await database.all<{ label: unknown }>("select label from views.m")).map(({ label }) => label);
}

describe("labels", () => {
  it("may come before their record, in one row each", async () => {
    const { api, collector, database } = await startCollector();
    expect(
      (
        await post(api, "labels", [
          { id: "a", label: 1 },
          { id: "a", row: 1, label: 2 },
        ])
      ).answer,
    ).toMatchObject({
      stored: 2,
    });
    await collector.flush();
    await post(api, "records", [record, { ...record, row: 1 }, { ...record, id: "b" }]);
    await collector.flush();
    expect(await database.all('select record_id, "row", label from views.m order by 1, 2')).toEqual([
      { record_id: "a", row: 0, label: 1 },
      { record_id: "a", row: 1, label: 2 },
      { record_id: "b", row: 0, label: null },
    ]);
  });

  const stories: readonly [string, readonly object[], unknown][] = [
    [
      "the last one counts",
      [
        { id: "a", label: 1 },
        { id: "a", label: 0 },
      ],
      0,
    ],
    [
      "one that says what was said before the last is news",
      [
        { id: "a", label: 1 },
        { id: "a", label: 0 },
        { id: "a", label: 1 },
      ],
      1,
    ],
    [
      "the latest by its own time counts, whenever it comes",
      [
        { id: "a", label: 2, time: "2026-02-02T00:00:00Z" },
        { id: "a", label: 1, time: "2026-02-01T00:00:00Z" },
      ],
      2,
    ],
    ["texts are texts", [{ id: "a", label: "yes" }], "yes"],
    ["truth values are truth values", [{ id: "a", label: false }], false],
    ["numbers are numbers", [{ id: "a", label: -1.5 }], -1.5],
    [
      "an id may be a whole number",
      [
        { id: "b", label: 3 },
        { id: "a", label: 1 },
      ],
      1,
    ],
    [
      "types that differ are shown as text",
      [
        { id: "b", label: "no" },
        { id: "a", label: 1 },
      ],
      "1",
    ],
    ["escapes are read", ['{"id":"\\u0061","label":"\\u00fc"}'].map((text) => JSON.parse(text)), "ü"],
  ];
  it.each(stories)("%s", async (_, labels, expected) => {
    expect(await viewed(labels)).toEqual([expected]);
  });

  it("repeated are duplicates: in one request, in later ones, after a restart", async () => {
    const first = await startCollector();
    const timed = { id: "a", label: 1, time: "2026-02-01T00:00:00Z" };
    const labels = [timed, timed, { id: "a", label: "1" }, { id: "a", label: "1" }];
    expect((await post(first.api, "labels", labels)).answer).toMatchObject({ stored: 2, duplicates: 2 });
    expect((await post(first.api, "labels", labels)).answer).toMatchObject({ stored: 0, duplicates: 4 });
    await first.stop();
    const second = await startCollector({ dataDir: first.dataDir });
    expect((await post(second.api, "labels", labels)).answer).toMatchObject({ stored: 0, duplicates: 4 });
    const others = [
      { ...timed, label: 2 },
      { ...timed, time: "2026-02-01T00:00:00.000001Z" },
      { ...timed, row: 1 },
      { ...timed, label: true },
      { id: "a", label: 1 },
    ];
    expect((await post(second.api, "labels", others)).answer).toMatchObject({ stored: 5 });
    await second.collector.flush();
    expect(await second.database.all("select count(*) as n from labels_m")).toEqual([{ n: 7 }]);
  });

  it("that are bad are named, and the good ones kept", async () => {
    const { api, counts } = await startCollector();
    const lines = [
      '{"id":"a","label":1}',
      '{"id":"a"}',
      '{"label":1}',
      '{"id":"a","label":null}',
      '{"id":"a","label":[1]}',
      '{"id":"a","label":1e999}',
      '{"id":"a","label":1,"time":"2026"}',
      '{"id":"a","label":1,"why":"x"}',
      '{"id":"a","label":1',
      '{"id":"b","label":"x"}',
    ];
    const { answer } = await post(api, "labels", lines.join("\n"), ndjson);
    expect(answer).toMatchObject({ received: 10, stored: 2, rejected: 8 });
    expect(answer.errors.map(({ index, path }) => [index, path])).toEqual([
      [1, "label"],
      [2, "id"],
      [3, "label"],
      [4, "label"],
      [5, "label"],
      [6, "time"],
      [7, ""],
      [8, ""],
    ]);
    expect(counts).toMatchObject({
      "leeway_labels_total{m,stored}": 2,
      "leeway_labels_total{m,rejected}": 8,
    });
  });

  it("are the same whichever way they are written", async () => {
    const { api } = await startCollector();
    await post(api, "labels", '{"id":"a","label":1,"time":"2026-02-01T00:00:00Z"}');
    for (const same of [
      '{ "label" : 1.0 , "time":"2026-02-01T01:00:00.0+01:00", "id":"\\u0061" }',
      '{"id":"a","label":10e-1,"row":0,"time":"2026-02-01T00:00:00Z"}',
    ]) {
      expect((await post(api, "labels", same)).answer, same).toMatchObject({ duplicates: 1 });
    }
  });

  it("make the hours of their records count as touched", async () => {
    const { api, collector, database } = await startCollector();
    await post(api, "records", [record, { ...record, id: "b", time: "2026-01-01T12:00:00Z" }]);
    await collector.flush();
    await post(api, "labels", [{ id: "b", label: 1 }]);
    await collector.flush();
    expect(
      await database.all(
        "select hour(hour_start) as hour, records, load_number as load from touched_hours order by 1",
      ),
    ).toEqual([
      { hour: 10, records: 1, load: 1 },
      { hour: 12, records: 1, load: 2 },
    ]);
  });
});
