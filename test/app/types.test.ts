import { expect, it } from "vitest";
import { normalSample, seededRandom } from "../../drift/distributions/random.ts";
import type { WindowResult } from "../../schema/drift-result.ts";
import { startService } from "./test-service.ts";

const DAY = { from: "2026-01-05T00:00:00Z", to: "2026-01-06T00:00:00Z" };

it("a feature whose first value was of the wrong type is watched as what it is, once that is said", async () => {
  const random = seededRandom(1);
  const ages = Array.from({ length: 1_440 }, () => 40 + 10 * normalSample(random));
  const service = await startService({ now: new Date("2026-01-06T02:00:00Z") });
  await service.put("/v1/models/shop/versions/1/baseline", `age\n${ages.join("\n")}\n`, "text/csv");
  await service.put("/v1/models/shop/monitors/daily", { window: "1d", minimum_effect: 0 });
  const records = ages.map((age, minute) => ({
    id: `r${minute}`,
    time: new Date(Date.parse(DAY.from) + minute * 60_000).toISOString(),
    inputs: { age: minute === 0 ? "thirty" : age },
  }));
  await service.post("/v1/models/shop/records", records);
  const check = async () => {
    const { windows } = await service.post("/v1/models/shop/monitors/daily/run", DAY);
    return (windows as WindowResult[])[0]?.columns[0];
  };
  expect(await check()).toMatchObject({ name: "age", verdict: "quality", current: { mean: null } });
  await service.restart({ models: { shop: { types: { age: "number" } } } });
  expect(await check()).toMatchObject({
    name: "age",
    verdict: "stable",
    current: { mean: expect.closeTo(40, 0) },
  });
  await service.restart({}); // what it was given stays
  expect(await check()).toMatchObject({ verdict: "stable", current: { mean: expect.closeTo(40, 0) } });
});
