import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { settleSeed } from "../../collector/recover-journal.ts";
import { Database } from "../../store/database.ts";
import { encodeFrame } from "../../store/frame.ts";
import { Journal } from "../../store/journal.ts";
import { post } from "./post.ts";
import { startCollector, temporaryFolder } from "./test-collector.ts";

/** A data folder as a kill leaves it: an empty database with its seed, and frames in the journal. */
async function killedWith(
  frames: readonly Buffer[],
): Promise<{ readonly dataDir: string; readonly segment: string }> {
  const dataDir = temporaryFolder();
  const database = await Database.open(join(dataDir, "leeway.duckdb"));
  const folder = join(dataDir, "journal");
  const journal = await Journal.open(folder, await settleSeed(database, folder), 0);
  for (const frame of frames) await journal.append([frame]);
  await journal.close("needed");
  await database.close();
  return { dataDir, segment: join(folder, readdirSync(folder)[0] ?? "") };
}

/** A frame with one record of this id. */
function frameOf(id: string, key: number): Buffer {
  const words = (...values: number[]) => Buffer.from(Int32Array.from(values).buffer);
  const column = (name: string, layout: "i32" | "i64" | "text", data: Uint8Array) => ({
    column: name,
    layout,
    count: 1,
    data,
  });
  return encodeFrame({
    kind: "records",
    model: "m",
    rows: 1,
    columns: [
      column("record_id", "text", Buffer.concat([words(id.length), Buffer.from(id)])),
      column("row", "i32", words(0)),
      column("time", "i64", words(0, 0)),
      column("received_at", "i64", words(0, 0)),
      column("key_high", "i64", words(key, 0)),
      column("key_low", "i32", words(key)),
    ],
  }).bytes;
}

async function recovered(dataDir: string) {
  const told: string[] = [];
  const { database } = await startCollector({ dataDir, log: (message) => told.push(message) });
  const [table] = await database.all("select 1 from collected_models");
  const rows = table
    ? await database.all<{ id: string }>("select record_id as id from records_m order by 1")
    : [];
  return { told, ids: rows.map(({ id }) => id), left: readdirSync(join(dataDir, "journal")) };
}

const TORN = "a write to the journal was interrupted; it had not been acknowledged";
const FOUND = "records were recovered from the journal";

describe("what a killed process left", () => {
  it("is loaded at the next start, and its journal removed", async () => {
    const { dataDir } = await killedWith([frameOf("a", 1), frameOf("b", 2)]);
    expect(await recovered(dataDir)).toEqual({ told: [FOUND], ids: ["a", "b"], left: [] });
  });

  it("is loaded up to a write that was cut short, wherever it was", async () => {
    const { segment } = await killedWith([frameOf("a", 1), frameOf("b", 2)]);
    const whole = readFileSync(segment);
    const second = 24 + 8 + frameOf("a", 1).length;
    for (const length of [second + 1, second + 8, second + 9, whole.length - 1]) {
      const again = await killedWith([frameOf("a", 1), frameOf("b", 2)]);
      writeFileSync(again.segment, readFileSync(again.segment).subarray(0, length));
      expect(await recovered(again.dataDir), `cut at ${length}`).toEqual({
        told: [TORN, FOUND],
        ids: ["a"],
        left: [],
      });
    }
  });

  it("is loaded up to a frame whose checksum is wrong", async () => {
    const { dataDir, segment } = await killedWith([frameOf("a", 1), frameOf("b", 2)]);
    const bytes = readFileSync(segment);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(segment, bytes);
    expect(await recovered(dataDir)).toEqual({ told: [TORN, FOUND], ids: ["a"], left: [] });
  });

  it.each([
    ["zeros, as a crash of the machine leaves them", Buffer.alloc(4_096)],
    ["a length beyond the end", Buffer.from("ffffff7f00000000", "hex")],
    ["less than a prefix", Buffer.of(1, 2, 3)],
  ])("is loaded up to %s", async (_, rest) => {
    const { dataDir, segment } = await killedWith([frameOf("a", 1)]);
    appendFileSync(segment, rest);
    expect(await recovered(dataDir)).toEqual({ told: [TORN, FOUND], ids: ["a"], left: [] });
  });

  it("may be a segment that holds nothing yet, or not even its head", async () => {
    const { dataDir, segment } = await killedWith([]);
    expect(segment.endsWith("journal")).toBe(true);
    writeFileSync(join(dataDir, "journal", "000000000001.journal"), "LEEW");
    expect(await recovered(dataDir)).toMatchObject({ ids: [], left: [] });
  });

  it("is known again: what is recovered is a duplicate when it is sent once more", async () => {
    const first = await startCollector();
    await post(first.api, "records", [{ id: "a", inputs: { x: 1 } }]);
    const folder = join(first.dataDir, "journal");
    const [name = ""] = readdirSync(folder);
    const written = readFileSync(join(folder, name));
    const copy = join(temporaryFolder(), "copy");
    mkdirSync(join(copy, "journal"), { recursive: true });
    writeFileSync(join(copy, "journal", name), written); // the journal alone: the database is new
    const second = await startCollector({ dataDir: copy });
    expect((await post(second.api, "records", [{ id: "a", inputs: { x: 1 } }])).answer).toMatchObject({
      duplicates: 1,
    });
  });

  it("beside another database is refused, with the way out", async () => {
    const { dataDir } = await killedWith([frameOf("a", 1)]);
    rmSync(join(dataDir, "leeway.duckdb"));
    const other = await Database.open(join(dataDir, "leeway.duckdb"));
    await settleSeed(other, join(dataDir, "no-journal"));
    await other.close();
    await expect(startCollector({ dataDir })).rejects.toMatchObject({
      code: "store-damaged",
      message: expect.stringMatching(
        /journal segment 1 in .*journal was written beside another database: put that one back, or move the folder away/,
      ),
    });
  });

  it("in a file that is no journal is refused, with its name", async () => {
    const { dataDir, segment } = await killedWith([frameOf("a", 1)]);
    writeFileSync(segment, "this is a text about something else entirely\n");
    await expect(startCollector({ dataDir })).rejects.toMatchObject({
      code: "store-damaged",
      message: expect.stringMatching(/000000000001\.journal is no journal: move it away/),
    });
  });
});

it("answers 503 with Retry-After while the journal cannot be written, and stores what is sent again later", async () => {
  const { api, collector, database, dataDir } = await startCollector();
  const folder = join(dataDir, "journal");
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "in the way");
  const body = [{ id: "a", inputs: { x: 1 } }];
  expect(await post(api, "records", body)).toMatchObject({
    status: 503,
    retryAfter: "5",
    answer: { code: "unavailable", detail: expect.stringContaining("nothing can be written to") },
  });
  expect((await post(api, "labels", [{ id: "a", label: 1 }])).status).toBe(503);
  rmSync(folder);
  expect((await post(api, "records", body)).answer).toMatchObject({ stored: 1, duplicates: 0 });
  expect((await post(api, "labels", [{ id: "a", label: 1 }])).answer).toMatchObject({ stored: 1 });
  await collector.flush();
  expect(await database.all("select in_x, label from views.m")).toEqual([{ in_x: 1, label: 1 }]);
});

it("answers 503 with Retry-After while nothing can be moved into the tables, keeps it, and moves it later", async () => {
  const told: string[] = [];
  const { api, collector, database, dataDir } = await startCollector({
    limits: { backlogBytes: 100 },
    log: (message) => told.push(message),
  });
  const folder = join(dataDir, "loading");
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "in the way");
  expect((await post(api, "records", [{ id: "a", inputs: { x: 1 } }])).status).toBe(202);
  await vi.waitFor(() => expect(told[0]).toBe("records could not be moved from the journal into the tables"));
  expect(await post(api, "records", [{ id: "b", inputs: { x: 2 } }])).toMatchObject({
    status: 503,
    retryAfter: "5",
    answer: { detail: expect.stringContaining("records wait to be moved into the tables, and that fails: ") },
  });
  rmSync(folder);
  mkdirSync(folder);
  await collector.tick();
  expect((await post(api, "records", [{ id: "b", inputs: { x: 2 } }])).status).toBe(202);
  await collector.flush();
  expect(await database.all("select record_id, in_x from views.m order by 1")).toEqual([
    { record_id: "a", in_x: 1 },
    { record_id: "b", in_x: 2 },
  ]);
});

it("moves what little has come into the tables when it has waited for some ticks", async () => {
  const { api, collector, database } = await startCollector({});
  await post(api, "records", [{ id: "a", inputs: { x: 1 } }]);
  const stored = async () => (await database.all("select record_id from records_m")).length;
  for (let tick = 1; tick <= 4; tick++) await collector.tick();
  expect(await database.all("select 1 from collected_models")).toEqual([]);
  await collector.tick();
  expect(await stored()).toBe(1);
});
