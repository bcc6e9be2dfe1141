import { describe, expect, it } from "vitest";
import { HourCounts } from "../../store/hour-counts.ts";
import { RecordStore } from "../../store/records.ts";
import { parquetOf, send, startCapture } from "./capture-formats/capture-server.ts";
import { post } from "./post.ts";

type Started = Awaited<ReturnType<typeof startCapture>>;
interface Attempt {
  readonly status: number;
  readonly p: number | null;
}

const at = "2026-01-01T10:00:00Z";
const failed: Attempt = { status: 503, p: null };
const answered: Attempt = { status: 200, p: 0.5 };
const recordOf = ({ status, p }: Attempt, id = "a") => ({
  id,
  time: at,
  inputs: { x: 1 },
  outputs: { p },
  status,
});

/** How an attempt comes in. */
const ways = {
  json: async ({ api }: Started, attempt: Attempt) =>
    (await post(api, "records", [recordOf(attempt)])).answer,
  "unusual json": async ({ api }: Started, attempt: Attempt) => {
    const text = JSON.stringify([recordOf(attempt)]).replace('"status"', '"\\u0073tatus"');
    return (await post(api, "records", text)).answer;
  },
  parquet: async ({ api, database, dataDir }: Started, { status, p }: Attempt) => {
    const file = await parquetOf(
      database,
      dataDir,
      `select 'a' as id, timestamp '2026-01-01 10:00:00' as time, 1.0::double as in_x, ${p}::double as out_p, ${status} as status`,
    );
    const type = { "content-type": "application/vnd.apache.parquet" };
    return (await send(api, "/v1/models/m/records", file, type)).answer;
  },
  csv: async ({ api }: Started, { status, p }: Attempt) => {
    const body = `id,time,in_x,out_p,status\na,2026-01-01 10:00:00,1,${p ?? ""},${status}\n`;
    return (await send(api, "/v1/models/m/records", body, { "content-type": "text/csv" })).answer;
  },
};
type Way = keyof typeof ways;

describe("a call that failed and is tried again under its id", () => {
  const pairs: readonly (readonly [Way, Way])[] = [
    ["json", "json"],
    ["json", "parquet"],
    ["parquet", "unusual json"],
    ["unusual json", "csv"],
    ["csv", "json"],
  ];
  it.each(
    pairs.flatMap(([first, second]) => [
      { first, second, one: failed, other: answered },
      { first, second, one: answered, other: failed },
    ]),
  )(
    "by $first, status $one.status, and by $second, status $other.status: two records, and the truth is that of the answer",
    async ({ first, second, one, other }) => {
      const started = await startCapture();
      await post(started.api, "labels", [{ id: "a", label: 1 }]);
      expect(await ways[first](started, one)).toMatchObject({ stored: 1, duplicates: 0 });
      expect(await ways[second](started, other)).toMatchObject({ stored: 1, duplicates: 0 });
      expect(await ways[second](started, one)).toMatchObject({ stored: 0, duplicates: 1 });
      expect(await ways[first](started, other)).toMatchObject({ stored: 0, duplicates: 1 });
      await started.collector.flush();
      expect(
        await started.database.all(
          'select record_id, "row", status, out_p, label from views.m order by status',
        ),
      ).toEqual([
        { record_id: "a", row: 0, status: 200, out_p: 0.5, label: 1 },
        { record_id: "a", row: 0, status: 503, out_p: null, label: null },
      ]);
    },
  );

  it("within one body: failed is from 400 on, and without a status it is an answer", async () => {
    const { api, database, dataDir } = await startCapture();
    const rows: readonly (readonly [id: string, status: number | null])[] = [
      ["a", 503],
      ["a", null],
      ["b", 400],
      ["b", 200],
      ["c", 399],
      ["c", 200],
    ];
    const values = rows.map(([id, status]) => `('${id}', ${status}, 1.0::double)`).join(", ");
    const file = await parquetOf(database, dataDir, `from (values ${values}) t(id, status, x)`);
    const type = { "content-type": "application/vnd.apache.parquet" };
    const outcome = { received: 6, stored: 5, duplicates: 1 };
    expect((await send(api, "/v1/models/m/records", file, type)).answer).toMatchObject(outcome);
    const records = rows.map(([id, status]) => ({
      id,
      ...(status === null ? {} : { status }),
      inputs: { x: 1 },
    }));
    expect((await post(api, "records", records)).answer).toMatchObject({ stored: 0, duplicates: 6 });
    const other = await send(api, "/v1/models/other/records", JSON.stringify(records), {
      "content-type": "application/json",
    });
    expect(other.answer).toMatchObject(outcome);
  });

  it("is still known after a restart, from the tables", async () => {
    const first = await startCapture();
    await post(first.api, "records", [recordOf(failed)]);
    await first.stop();
    const second = await startCapture({ dataDir: first.dataDir });
    const all = [failed, answered, failed, answered].map((attempt) => recordOf(attempt));
    expect((await post(second.api, "records", all)).answer).toMatchObject({ stored: 1, duplicates: 3 });
    await second.stop();
    const third = await startCapture({ dataDir: first.dataDir });
    expect((await post(third.api, "records", all)).answer).toMatchObject({ stored: 0, duplicates: 4 });
  });

  it("counts as a record without truth, however label completeness is counted", async () => {
    const { api, collector, database } = await startCapture();
    await post(api, "records", [recordOf(failed), recordOf(answered), recordOf(failed, "b")]);
    await post(api, "labels", [
      { id: "a", label: 1 },
      { id: "b", label: 0 },
    ]);
    await collector.flush();
    const window = { from: new Date("2026-01-01T00:00:00Z"), to: new Date("2026-01-02T00:00:00Z") };
    const counts = { records: 3, labelled: 1, weight: 3, labelledWeight: 1 };
    expect(await new RecordStore(database).countWindow("m", window)).toEqual(counts);
    expect(await new HourCounts(database).hours("m", window)).toEqual([{ hour: new Date(at), ...counts }]);
  });

  it("can come again once retention has deleted it, and the label goes with the answer", async () => {
    const { api, collector, database } = await startCapture();
    const all = [recordOf(failed), recordOf(answered)];
    await post(api, "records", all);
    await post(api, "labels", [{ id: "a", label: 1 }]);
    for await (const _ of collector.deleteBefore("m", new Date("2026-01-02T00:00:00Z"))) {
      // to the end
    }
    expect(await database.all("select * from main.labels_m")).toEqual([]);
    expect((await post(api, "records", [...all, ...all])).answer).toMatchObject({ stored: 2, duplicates: 2 });
    expect((await post(api, "labels", [{ id: "a", label: 1 }])).answer).toMatchObject({ stored: 1 });
  });
});
