import { expect, it } from "vitest";
import { RecordStore } from "../../store/records.ts";
import { startCollector } from "./test-collector.ts";

it("stores records and labels and shows them in the model's view", async () => {
  const { api, collector, database } = await startCollector();
  const answer = await api.request("/v1/models/churn/records", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify([
      { id: "a", time: "2026-01-01T10:00:00Z", inputs: { age: 41, city: "Ulm" }, outputs: { score: 0.5 } },
      { id: "b", time: "2026-01-01T11:00:00Z", inputs: { age: "old", city: "Ulm" } },
      { id: "c", inputs: 3 },
    ]),
  });
  expect(answer.status).toBe(202);
  expect(await answer.json()).toMatchObject({ received: 3, stored: 2, duplicates: 0, rejected: 1 });
  await api.request("/v1/models/churn/labels", {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: '{"id":"a","label":1}\n',
  });
  await collector.flush();
  expect(
    await database.all("select record_id, in_age, in_city, out_score, label from views.churn order by 1"),
  ).toEqual([
    { record_id: "a", in_age: 41, in_city: "Ulm", out_score: 0.5, label: 1 },
    { record_id: "b", in_age: null, in_city: "Ulm", out_score: null, label: null },
  ]);
  const records = new RecordStore(database);
  expect(await records.columnsOf("churn")).toEqual([
    { name: "in_age", column: "in_age", type: "DOUBLE" },
    { name: "in_city", column: "in_city", type: "VARCHAR" },
    { name: "out_score", column: "out_score", type: "DOUBLE" },
    { name: "label", column: "label", type: "DOUBLE" },
  ]);
  expect(await records.dirtyHours("churn", 0)).toHaveLength(2);
});
