import { expect, it } from "vitest";
import { normalSample, seededRandom } from "../../drift/distributions/random.ts";
import type { ColumnResult, WindowResult } from "../../schema/drift-result.ts";
import { startService, type TestService } from "./test-service.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 5);
const PER_HOUR = 200;
const DAY_ROWS = 24 * PER_HOUR;
const at = (hours: number) => new Date(START + hours * HOUR);

/** A day of a stream whose errors, one in twenty, look different; `shift` in standard deviations. */
function dayOf(day: number, shift = 0) {
  const random = seededRandom(1_000 + day);
  return Array.from({ length: DAY_ROWS }, (_, i) => {
    const failed = random() < 0.05;
    return {
      id: `d${day}-${i}`,
      time: new Date(START + day * 24 * HOUR + (i * HOUR) / PER_HOUR).toISOString(),
      inputs: {
        amount: random() < 0.03 ? null : 100 + 10 * (normalSample(random) + shift) + (failed ? 30 : 0),
        city: failed ? "nowhere" : (["oslo", "oslo", "bergen", "narvik"][Math.floor(random() * 4)] ?? "oslo"),
      },
      status: failed ? 500 : 200,
    };
  });
}

const DAYS = 8;
const settings = { models: { shop: { sample: 0.1 } } };

async function prepare(monitor: object): Promise<TestService> {
  const service = await startService({ now: at(DAYS * 24 + 2), settings });
  const training = [100, 101].flatMap((day) => dayOf(day));
  const csv = training.map(({ inputs }) => `${inputs.amount ?? ""},${inputs.city}`).join("\n");
  await service.put("/v1/models/shop/versions/1/baseline", `amount,city\n${csv}\n`, "text/csv");
  await service.put("/v1/models/shop/monitors/daily", { window: "1d", grace: "1h", ...monitor });
  return service;
}

async function windows(service: TestService): Promise<WindowResult[]> {
  await service.server().checkNow();
  const { windows: found } = await service.get("/v1/models/shop/drift?monitor=daily");
  return (found as WindowResult[]).toReversed();
}

const column = (result: WindowResult, name: string): ColumnResult => {
  const found = result.columns.find((candidate) => candidate.name === name);
  if (!found) throw new RangeError(`no column ${name}`);
  return found;
};

it("a tenth of a stable stream stays quiet, tells the truth about the whole, and shows a shift", async () => {
  const service = await prepare({ minimum_effect: 0 });
  for (let day = 0; day < DAYS; day++) {
    const rows = dayOf(day, day === DAYS - 1 ? 0.6 : 0);
    const answer = await service.post("/v1/models/shop/records", rows);
    expect(answer).toMatchObject({ received: DAY_ROWS, rejected: 0, duplicates: 0 });
    expect(Number(answer.stored) + Number(answer.sampled_out)).toBe(DAY_ROWS);
    expect(Number(answer.stored) / DAY_ROWS).toBeLessThan(0.18); // a tenth, and the errors
  }
  const results = await windows(service);
  const stable = results.slice(0, -1);
  expect(stable.map(({ dataset }) => dataset.verdict)).toEqual(stable.map(() => "stable"));
  expect(results.at(-1)?.dataset.verdict).toBe("drifted");

  for (const [day, result] of stable.entries()) {
    const all = dayOf(day);
    const amounts = all.flatMap(({ inputs }) => (inputs.amount === null ? [] : [inputs.amount]));
    const mean = amounts.reduce((sum, value) => sum + value, 0) / amounts.length;
    const std = Math.sqrt(amounts.reduce((sum, value) => sum + (value - mean) ** 2, 0) / amounts.length);
    const amount = column(result, "amount").current;
    const worth = amount?.effective_rows ?? 0;
    expect(worth).toBeGreaterThan(400);
    expect(worth).toBeLessThan(900);
    expect(Math.abs((amount?.mean ?? 0) - mean)).toBeLessThan((4 * std) / Math.sqrt(worth));
    expect(Math.abs((amount?.std ?? 0) / std - 1)).toBeLessThan(4 / Math.sqrt(worth));
    expect(Math.abs(result.rows / DAY_ROWS - 1)).toBeLessThan(4 / Math.sqrt(worth));
    const city = column(result, "city").current;
    const share = (name: string) => all.filter(({ inputs }) => inputs.city === name).length / DAY_ROWS;
    for (const { category, count } of city?.categories ?? []) {
      const p = share(category);
      expect(Math.abs(count / (city?.count ?? 0) - p), category).toBeLessThan(
        4 * Math.sqrt((p * (1 - p)) / worth),
      );
    }
    // Errors are all there: their number is no estimate.
    expect(city?.categories?.find(({ category }) => category === "nowhere")?.count).toBe(
      share("nowhere") * DAY_ROWS,
    );
  }
  const completeness = await service.get(`/v1/models/shop/labels/completeness?from=${at(0).toISOString()}`);
  expect(completeness).toMatchObject({ share: 0 });
}, 60_000);

it("a baseline from a sample has as many errors as the stream, and a training file says what each row stands for", async () => {
  const service = await prepare({});
  for (let day = 0; day < DAYS; day++) await service.post("/v1/models/shop/records", dayOf(day));
  const window = { from: at(0).toISOString(), to: at(DAYS * 24).toISOString() };
  const baseline = (await service.put("/v1/models/shop/versions/2/baseline", window)) as {
    rows: number;
    columns: { name: string; categories?: { category: string; count: number }[] }[];
  };
  expect(baseline.columns.map(({ name }) => name).toSorted()).toEqual(["amount", "city"]);
  const city = baseline.columns.find(({ name }) => name === "city")?.categories ?? [];
  const failed = (city.find(({ category }) => category === "nowhere")?.count ?? 0) / baseline.rows;
  expect(Math.abs(failed - 0.05)).toBeLessThan(4 * Math.sqrt((0.05 * 0.95) / baseline.rows));
  const training = (await service.post("/v1/models/shop/exports", { ...window, form: "training" })) as {
    rows: number;
    columns: { name: string; type: string }[];
  };
  expect(training.columns).toContainEqual({ name: "weight", type: "DOUBLE" });
  expect(training.rows).toBeGreaterThan(baseline.rows);
}, 60_000);
