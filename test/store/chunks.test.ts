import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chunksOf, nextChunk } from "../../store/chunks.ts";
import { Database } from "../../store/database.ts";
import { openScoringTable } from "../../store/scoring-table.ts";

const ROWS = 400_000;
const folder = mkdtempSync(join(tmpdir(), "leeway-test-"));
const file = join(folder, "texts.parquet");
let database: Database;
let connection: DuckDBConnection;
beforeAll(async () => {
  database = await Database.open(":memory:");
  connection = await database.connect();
  await connection.run(
    `copy (select if(i = ${ROWS - 1}, 'many', '1') as number, i as whole from range(${ROWS}) t(i)) to '${file}' (format parquet)`,
  );
});
afterAll(async () => {
  connection.closeSync();
  await database.close();
  rmSync(folder, { recursive: true });
});

async function rowsOf(sql: string): Promise<number> {
  let rows = 0;
  for await (const chunk of chunksOf(connection, sql)) rows += chunk.rowCount;
  return rows;
}

describe("a streamed query", () => {
  it("gives all of its rows", async () => {
    expect(await rowsOf(`from '${file}'`)).toBe(ROWS);
    expect(await rowsOf(`from '${file}' where false`)).toBe(0);
  });

  it("that fails half way says why, and does not end as if it were whole", async () => {
    await expect(rowsOf(`select number::float from '${file}'`)).rejects.toThrow(
      /Could not convert string 'many' to FLOAT/,
    );
    await expect(
      rowsOf(
        `select if(whole = ${ROWS - 1}, error('the last row'), whole) as "rows" from '${file}' -- a remark`,
      ),
    ).rejects.toThrow(/the last row/);
  });

  it("that is interrupted does not end as if it were whole", async () => {
    const other = await database.connect();
    const result = await other.stream("select i from range(1000000000) t(i)");
    await nextChunk(result, () => Promise.reject(new Error("at its beginning")));
    other.interrupt();
    const read = async () => {
      while (await nextChunk(result, () => Promise.reject(new Error("it was interrupted"))));
    };
    await expect(read()).rejects.toThrow("it was interrupted");
    other.closeSync();
  });
});

it("a table that cannot be read to its end is not taken for a shorter one", async () => {
  const table = await openScoringTable(file);
  const read = async () => {
    let rows = 0;
    for await (const chunk of table.read([{ name: "number", as: "f32" }])) rows += chunk.rows;
    return rows;
  };
  await expect(read()).rejects.toThrow(/texts\.parquet cannot be read: .*'many'/);
  table.close();
});
