import { expect, it } from "vitest";
import { HourCounts } from "../../store/hour-counts.ts";
import { ProfileStore } from "../../store/profiles.ts";
import { RecordStore } from "../../store/records.ts";
import { sealBefore } from "../../store/retention.ts";
import { post } from "../collector/post.ts";
import { startCollector } from "../collector/test-collector.ts";

const hour = (i: number) => new Date(Date.UTC(2026, 0, 5) + i * 3_600_000);
const day = { from: hour(0), to: hour(24) };
const record = (i: number, id = `r${i}`) => ({ id, time: hour(i).toISOString(), inputs: { x: i } });

async function counted() {
  const started = await startCollector();
  const { api, collector, database } = started;
  await post(
    api,
    "records",
    [0, 1, 2, 3].map((i) => record(i)),
  );
  await collector.flush();
  const counts = new HourCounts(database);
  const profiles = new ProfileStore(database);
  const source = (await new RecordStore(database).windowOf("m", day)) ?? "";
  const refresh = () =>
    profiles.refresh({
      baselineId: "b",
      model: "m",
      source,
      hours: [0, 1, 2, 3].map(hour),
      columns: [{ name: "x", column: "in_x", physical: "DOUBLE" }],
    });
  await refresh();
  const seal = (until: Date, unless: "behind" | "never") =>
    database.transaction((tx) => sealBefore(tx, { model: "m", time: until, now: hour(24), unless }));
  const seen = async () => ({
    counts: (await counts.hours("m", day)).map(({ records }) => records),
    profiles: (await profiles.hours({ baselineId: "b", ...day })).map(({ rows }) => rows),
  });
  return { ...started, counts, refresh, seal, seen };
}

it("what was counted of expired hours stays, whoever counts again, and whatever comes late", async () => {
  const { api, collector, counts, refresh, seal, seen } = await counted();
  await counts.refresh("m", day);
  expect(await seal(hour(2), "behind")).toBe("sealed");
  for await (const _ of collector.deleteBefore("m", hour(2))) {
    // to the end
  }
  await post(api, "records", [record(0, "late"), record(2, "another")]);
  await collector.flush();
  await refresh(); // as a check would that began before
  expect(await seen()).toEqual({ counts: [1, 1, 2, 1], profiles: [1, 1, 2, 1] });
});

it("nothing is final while records have come that are not counted", async () => {
  const { api, collector, counts, seal, seen } = await counted();
  expect(await seal(hour(2), "behind")).toBe("behind");
  await counts.refresh("m", day);
  await post(api, "records", [record(0, "late")]);
  await collector.flush();
  expect(await seal(hour(2), "behind")).toBe("behind");
  await counts.refresh("m", day);
  expect(await seal(hour(2), "behind")).toBe("sealed");
  expect((await seen()).counts).toEqual([2, 1, 1, 1]);
});
