import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { appendColumns, rowsOfGroups } from "../../store/append-columns.ts";
import { Database } from "../../store/database.ts";
import type { Frame } from "../../store/frame.ts";
import { writeParquet } from "../../store/parquet-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "leeway-test-"));
const at = (name: string) => join(folder, name);
let database: Database;
beforeAll(async () => {
  database = await Database.open(":memory:");
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true });
});

/** A table of every kind of column, `groupRows` in a row group (DuckDB makes that a multiple of 2,048). */
async function writeTable(rows: number, groupRows: number, options = ""): Promise<string> {
  const path = at("table.parquet");
  const connection = await database.connect();
  await connection.run(
    `copy (select i as id, if(i % 3 = 0, null, i / 7) as "a number", 'text ' || i % 11 as text, i % 2 = 0 as flag,
       {'x': i, 'y': [i, i + 1]} as struct, map {'k': i} as "map", make_timestamp(i * 1000000) as time
     from range(${rows}) t(i)) to '${path}' (format parquet, row_group_size ${groupRows} ${options})`,
  );
  connection.closeSync();
  return path;
}

/** Pages of rows that follow each other, with a score, a label and a whole number that tell the row's number. */
function frameOf(from: number, rows: number): Frame {
  const labels = Array.from({ length: rows }, (_, i) => {
    const text = Buffer.from(`row ${from + i}`);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    return Buffer.concat([length, text]);
  });
  const score = Float32Array.from({ length: rows }, (_, i) => (from + i) / 2);
  const whole = BigInt64Array.from({ length: rows }, (_, i) => BigInt(from + i));
  const column = (name: string, layout: "f32" | "text" | "i64", data: Uint8Array) => ({
    ...{ column: name, layout, count: rows, data },
  });
  return {
    kind: "records",
    model: "m",
    rows,
    columns: [
      column("score", "f32", new Uint8Array(score.buffer)),
      column("label", "text", Buffer.concat(labels)),
      column("whole", "i64", new Uint8Array(whole.buffer)),
    ],
  };
}

/** Parts of so many rows each, with a page wherever a group or a part ends. */
async function writeParts(groups: readonly number[], partRows: number): Promise<string[]> {
  const rows = groups.reduce((sum, each) => sum + each, 0);
  const ends = new Set([rows]);
  groups.reduce((end, each) => {
    ends.add(end + each);
    return end + each;
  }, 0);
  for (let end = partRows; end < rows; end += partRows) ends.add(end);
  const parts: string[] = [];
  let frames: Frame[] = [];
  let from = 0;
  for (const end of [...ends].sort((a, b) => a - b)) {
    frames.push(frameOf(from, end - from));
    from = end;
    if (end % partRows !== 0 && end !== rows) continue;
    const path = at(`part-${parts.length}.parquet`);
    await writeParquet(path, frames, "each");
    parts.push(path);
    frames = [];
  }
  return parts;
}

async function* inTurn(paths: readonly string[]): AsyncGenerator<string> {
  yield* paths;
}

describe("columns appended to a Parquet file", () => {
  it("stand beside its rows, whatever its row groups and the parts, and its own bytes stay", async () => {
    const to = at("wider.parquet");
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9_000 }),
        fc.constantFrom(2_048, 4_096, 100_000),
        fc.integer({ min: 500, max: 10_000 }),
        async (rows, groupRows, partRows) => {
          const table = await writeTable(rows, groupRows);
          const groups = (await rowsOfGroups(table)) as readonly number[];
          expect(groups.reduce((sum, each) => sum + each, 0)).toBe(rows);
          expect(groups.length).toBe(Math.ceil(rows / groupRows));
          await appendColumns(table, inTurn(await writeParts(groups, partRows)), to);
          const [found] = await database.all(
            `select count(*)::int as rows, count_if(wide.id = wide.whole and wide.score = wide.id / 2 and wide.label = 'row ' || wide.id
               and wide.struct = own.struct and wide."map" = own."map" and wide.text = own.text and wide.time = own.time
               and wide.flag = own.flag and wide."a number" is not distinct from own."a number")::int as alike,
             bool_and(wide.file_row_number = wide.id) as ordered
             from read_parquet('${to}', file_row_number = true) wide join '${table}' own using (id)`,
          );
          expect(found).toEqual({ rows, alike: rows, ordered: true });
          const [metadata] = await database.all(
            `select num_rows::int as rows, num_row_groups::int as groups from parquet_file_metadata('${to}')`,
          );
          expect(metadata).toEqual({ rows, groups: groups.length });
          const own = readFileSync(table);
          const data = own.subarray(0, own.length - 8 - own.readUInt32LE(own.length - 8));
          expect(readFileSync(to).subarray(0, data.length).equals(data)).toBe(true);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("leave out what was noted of the table without them", async () => {
    const table = await writeTable(10, 2_048, `, kv_metadata {pandas: 'the index of id'}`);
    const notes = (path: string) => database.all(`select * from parquet_kv_metadata('${path}')`);
    expect(await notes(table)).toHaveLength(1);
    await appendColumns(table, inTurn(await writeParts([10], 10)), at("wider.parquet"));
    expect(await notes(at("wider.parquet"))).toEqual([]);
  });

  it("are refused when they do not keep to its row groups", async () => {
    const table = await writeTable(5_000, 2_048);
    const append = (parts: readonly string[]) => appendColumns(table, inTurn(parts), at("wider.parquet"));
    await expect(append(await writeParts([5_000], 5_000))).rejects.toThrow(/reaches into the next row group/);
    await expect(append(await writeParts([2_048, 2_048], 5_000))).rejects.toThrow(
      /fewer rows than the table/,
    );
  });

  it("cannot be appended to what is no table with rows", async () => {
    const table = await writeTable(100, 2_048);
    expect(await rowsOfGroups(table)).toEqual([100]);
    const bytes = readFileSync(table);
    const other = at("other.parquet");
    for (const length of [0, 3, 8, 11, 12, 500]) {
      writeFileSync(other, bytes.subarray(bytes.length - length));
      expect(await rowsOfGroups(other)).toBeUndefined();
    }
    await fc.assert(
      fc.asyncProperty(
        fc.nat(statSync(table).size - 1),
        fc.integer({ min: 1, max: 255 }),
        async (where, flip) => {
          const damaged = Buffer.from(bytes);
          damaged[where] = (damaged[where] as number) ^ flip;
          writeFileSync(other, damaged);
          await rowsOfGroups(other); // throws nothing
        },
      ),
      { numRuns: 500 },
    );
    expect(await rowsOfGroups(await writeTable(0, 2_048))).toBeUndefined();
    await writeParquet(other, [frameOf(0, 0)]);
    expect(await rowsOfGroups(other)).toBeUndefined(); // a row group without rows has no pages
  });
});
