import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scheduler } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { Database } from "../../store/database.ts";
import { migrations } from "../../store/migrations.ts";

function databasePath(): string {
  const folder = mkdtempSync(join(tmpdir(), "leeway-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "data", "leeway.duckdb");
}

/** The message of what opening the file throws. */
async function refusal(path: string): Promise<unknown> {
  return Database.open(path).then(
    () => "opened",
    (error: unknown) => error,
  );
}

describe("a database file", () => {
  it("is made with its folder, and is of the newest layout", async () => {
    const path = databasePath();
    const database = await Database.open(path);
    expect(await database.all("select max(number) as newest from migrations")).toEqual([
      { newest: migrations.at(-1)?.number },
    ]);
    await database.close();
    await (await Database.open(path)).close(); // and nothing is done to it again
  });

  it("in use by another process is refused, naming file, process and ways out", async () => {
    const path = databasePath();
    const owner = spawn(
      process.execPath,
      ["--import", "tsx", join(import.meta.dirname, "owner-child.ts"), path],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    onTestFinished(() => void owner.kill("SIGKILL"));
    await once(owner.stdout, "data");
    expect(await refusal(path)).toMatchObject({
      code: "store-locked",
      message: `${path} is in use by process ${owner.pid}: one leeway serve owns it; stop that one, or choose another --data-dir`,
    });
    const ended = once(owner, "exit");
    owner.kill("SIGKILL");
    await ended;
    await (await Database.open(path)).close(); // a lock does not outlive its process
  });

  it.each([
    ["something else", () => Buffer.from("this is a text about something else entirely\n".repeat(500))],
    ["cut short", (whole: Buffer) => whole.subarray(0, 5_000)],
    [
      "overwritten at its head",
      (whole: Buffer) => Buffer.concat([Buffer.alloc(8_192, 7), whole.subarray(8_192)]),
    ],
  ] as const)("that is %s is refused, naming file and ways out", async (_, damage) => {
    const path = databasePath();
    await (await Database.open(path)).close();
    writeFileSync(path, damage(readFileSync(path)));
    const error = await refusal(path);
    expect(error).toMatchObject({ code: "store-damaged" });
    const { message } = error as Error;
    expect(message).toContain(`${path} cannot be opened: `);
    expect(message).toMatch(/Restore it from a backup, or move it away to start anew$/);
    expect(message).not.toContain("\n");
  });

  it("of a newer version is refused, naming both layouts, and is left as it is", async () => {
    const path = databasePath();
    const database = await Database.open(path);
    const known = migrations.at(-1)?.number ?? 0;
    await database.transaction((tx) =>
      tx.run("insert into migrations (number, name) values ($number, 'of tomorrow')", { number: known + 5 }),
    );
    await database.close();
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await refusal(path)).toMatchObject({
        code: "store-too-new",
        message: `${path} was written by a newer Leeway (layout ${known + 5}, this one knows ${known}): run that version, or a newer one`,
      });
    }
  });
});

describe("a database", () => {
  it("shows readers committed data only, and nothing of a transaction that failed", async () => {
    const database = await Database.open(":memory:");
    await database.transaction((tx) => tx.run("create table t (x integer)"));
    await database.transaction(async (tx) => {
      await tx.run("insert into t values (1)");
      expect(await database.all("select * from t")).toEqual([]);
      expect(await tx.all("select * from t")).toEqual([{ x: 1 }]);
    });
    const failing = database.transaction(async (tx) => {
      await tx.run("insert into t values (2)");
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await database.all("select * from t")).toEqual([{ x: 1 }]);
    await database.close();
  });

  it("loads on its own threads, all or nothing, and says why a load failed", async () => {
    let looks = 0;
    const database = await Database.open(":memory:", {
      threads: 2,
      pause: async () => {
        looks++;
        await scheduler.wait(1);
      },
    });
    onTestFinished(() => database.close());
    await database.transaction((tx) => tx.run("create table numbers (n bigint)"));
    await database.transaction((tx) => tx.load("insert into numbers select range from range(1_000_000)"));
    expect(looks).toBeGreaterThan(0);
    const failing = database.transaction(async (tx) => {
      await tx.load("insert into numbers select range from range(5)");
      await tx.load("insert into numbers select 'many' from range(200_000)");
    });
    await expect(failing).rejects.toThrow(/Could not convert string 'many'/);
    await expect(database.transaction((tx) => tx.load("insert into nowhere select 1"))).rejects.toThrow(
      /nowhere/,
    );
    expect(await database.all("select count(*) as n, sum(n) as sum from numbers")).toEqual([
      { n: 1_000_000, sum: 499_999_500_000 },
    ]);
  });

  it("takes transactions one after the other", async () => {
    const database = await Database.open(":memory:");
    await database.transaction((tx) => tx.run("create table t (x integer)"));
    await Promise.all(
      Array.from({ length: 20 }, () =>
        database.transaction(async (tx) => {
          const [row] = await tx.all<{ n: number }>("select count(*) as n from t");
          await tx.run("insert into t values ($x)", { x: row?.n ?? -1 });
        }),
      ),
    );
    expect(await database.all("select count(distinct x) as n from t")).toEqual([{ n: 20 }]);
    await database.close();
  });

  it("waits for what is under way when it is closed, and refuses what comes later", async () => {
    const database = await Database.open(":memory:");
    await database.transaction((tx) => tx.run("create table t (x bigint)"));
    const writing = database.transaction((tx) => tx.run("insert into t select * from range(100000)"));
    const reading = database.all("select count(*) as n from range(1000000)");
    await database.close();
    await expect(writing).resolves.toBe(100_000);
    await expect(reading).resolves.toEqual([{ n: 1_000_000 }]);
    for (const late of [database.all("select 1"), database.transaction((tx) => tx.run("select 1"))]) {
      await expect(late).rejects.toMatchObject({ code: "unavailable" });
    }
    await database.close();
  });

  it("gives times as Date in UTC, safe whole numbers as number, others as bigint, lists as arrays", async () => {
    const database = await Database.open(":memory:");
    expect(
      await database.all(
        "select '2026-01-01 12:00:00+02'::timestamptz as t, 9007199254740991 as safe, 9007199254740993 as big, [1, 2] as list, {'a': 1::bigint} as s",
      ),
    ).toEqual([
      {
        t: new Date("2026-01-01T10:00:00Z"),
        safe: 9007199254740991,
        big: 9007199254740993n,
        list: [1, 2],
        s: { a: 1 },
      },
    ]);
    await database.close();
  });
});
