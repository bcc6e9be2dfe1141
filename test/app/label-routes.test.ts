import { expect, it, vi } from "vitest";
import { startService } from "./test-service.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 5);
const at = (hours: number) => new Date(START + hours * HOUR);

interface Completeness {
  readonly records: number;
  readonly labelled: number;
  readonly share: number | null;
  readonly windows: readonly { readonly from: string; readonly records: number; readonly labelled: number }[];
}

/** Two days with a record per hour. */
const records = Array.from({ length: 48 }, (_, hour) => ({
  id: `r${hour}`,
  time: at(hour).toISOString(),
  inputs: { x: hour },
}));

it("tells how much ground truth has arrived, window by window, as it arrives", async () => {
  const service = await startService({ now: at(48) });
  await service.post("/v1/models/churn/labels", [
    { id: "r3", label: 1 },
    { id: "nobody", label: 1 },
  ]); // before its record
  await service.post("/v1/models/churn/records", records);
  const of = async (query: string) =>
    (await service.get(`/v1/models/churn/labels/completeness?${query}`)) as unknown as Completeness;
  const shares = ({ windows }: Completeness) => windows.map((window) => [window.records, window.labelled]);

  const query = `from=${at(0).toISOString()}&to=${at(48).toISOString()}`;
  expect(shares(await of(query))).toEqual([
    [24, 1],
    [24, 0],
  ]);
  await service.post("/v1/models/churn/labels", [
    { id: "r3", label: 0 }, // once more: still one record
    { id: "r4", label: 1 },
    { id: "r30", label: 1 },
  ]);
  const days = await of(query);
  expect(shares(days)).toEqual([
    [24, 2],
    [24, 1],
  ]);
  expect(days).toMatchObject({ records: 48, labelled: 3, share: 3 / 48 });
  expect(shares(await of(`${query}&window=6h`))).toEqual([
    [6, 2],
    ...[6, 6, 6, 6].map((n) => [n, 0]),
    [6, 1],
    ...[6, 6].map((n) => [n, 0]),
  ]);
  expect((await of(`from=${at(0).toISOString()}&to=${at(1).toISOString()}`)).windows).toHaveLength(1);
  expect(await of("window=12h")).toMatchObject({ share: 3 / 48 }); // the last thirty windows, up to now
});

it("shows completeness in the metrics, of records as old as their labels are late", async () => {
  const service = await startService({ now: at(48) });
  await service.post("/v1/models/churn/records", records);
  await service.post("/v1/models/churn/labels", [
    { id: "r1", label: 1 },
    { id: "r2", label: 1 },
    { id: "r40", label: 1 },
  ]);
  await service.restart(); // counted at the start, and every minute
  const text = await vi.waitUntil(async () => {
    const shown = await service.text("/metrics");
    return shown.includes("leeway_labels_complete_ratio{") ? shown : undefined;
  });
  expect(text).toContain(`leeway_labels_complete_ratio{model="churn",window="1d"} ${1 / 24}`);
  expect(text).toContain(`leeway_labels_complete_ratio{model="churn",window="7d"} ${3 / 48}`);
});

it("keeps everything that was said of a record, and the newest counts", async () => {
  const service = await startService({ now: at(48) });
  await service.post("/v1/models/churn/labels", [
    { id: "a", label: 2, time: "2026-02-02T00:00:00Z" },
    { id: "a", label: "1", time: "2026-02-01T00:00:00Z" },
    { id: "a", row: 1, label: true },
  ]);
  expect(await service.get("/v1/models/churn/labels?id=a")).toMatchObject({
    labels: [
      { label: 2, time: "2026-02-02T00:00:00.000Z" },
      { label: "1", time: "2026-02-01T00:00:00.000Z" },
    ],
  });
  expect(await service.get("/v1/models/churn/labels?id=a&row=1")).toMatchObject({
    labels: [{ label: true }],
  });
  expect(await service.get("/v1/models/churn/labels?id=b")).toMatchObject({ labels: [] });
});

it("refuses what cannot be counted, and models nobody has heard of", async () => {
  const service = await startService({ now: at(48) });
  await service.post("/v1/models/churn/records", records);
  for (const [path, says] of [
    ["/v1/models/churn/labels/completeness?window=90m", "whole hours"],
    ["/v1/models/churn/labels/completeness?window=1h&from=2020-01-01T00:00:00Z", "more than 10000 windows"],
    ["/v1/models/churn/labels/completeness?from=2027-01-01T00:00:00Z", "before to"],
    ["/v1/models/nobody/labels/completeness", "no records or labels"],
    ["/v1/models/nobody/labels?id=a", "no records or labels"],
  ] as const) {
    expect(await service.get(path), path).toMatchObject({ detail: expect.stringContaining(says) });
  }
});
