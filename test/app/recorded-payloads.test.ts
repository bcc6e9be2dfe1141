import { describe, expect, it } from "vitest";
import { ApiClient } from "../../app/api-client.ts";
import { recordedPayloads } from "../../app/recorded-payloads.ts";
import { startService } from "./test-service.ts";

const now = new Date("2026-01-06T00:00:00Z");
const hour = 3_600_000;
const at = (hours: number) => new Date(now.getTime() - hours * hour).toISOString();

describe("recorded calls as bodies", () => {
  it("have the instances of a call together, those of the time and version asked for only", async () => {
    const service = await startService({ now });
    await service.post("/v1/models/shop-1/records", [
      { id: "old", time: at(30), version: "1", inputs: { "a b": 0, c: "old" }, outputs: { y: 1 } },
      { id: "one", time: at(3), version: "1", inputs: { "a b": 1, c: "x" }, outputs: { y: 1 } },
      { id: "two", row: 1, time: at(2), version: "2", inputs: { "a b": 3, c: "z" }, outputs: { y: 1 } },
      { id: "two", row: 0, time: at(2), version: "2", inputs: { "a b": 2, c: "y" }, outputs: { y: 1 } },
    ]);
    const client = new ApiClient({ url: service.server().url });
    const read = async (text: string, rows: Parameters<typeof recordedPayloads>[1]["rows"], hours = 24) => {
      const { bodies } = await recordedPayloads(text, { client, lastMs: hours * hour, rows, now });
      return bodies.map((body) => Buffer.from(body).toString()).sort();
    };
    const [one, two, three] = [
      { "a b": 1, c: "x" },
      { "a b": 2, c: "y" },
      { "a b": 3, c: "z" },
    ];
    expect(await read("shop-1", "object")).toEqual(
      [JSON.stringify([two, three]), JSON.stringify(one)].sort(),
    );
    expect(await read("shop-1:2", "dataframe_records")).toEqual([
      JSON.stringify({ dataframe_records: [two, three] }),
    ]);
    expect(await read("shop-1:1", "list", 48)).toEqual(['[0,"old"]', '[1,"x"]']);
    await expect(read("shop-1", "object", 1)).rejects.toThrow(/--recorded shop-1.*--recorded-last/);
    await expect(read("nobody", "object")).rejects.toThrow(/has recorded no inputs of nobody/);
  });
});
