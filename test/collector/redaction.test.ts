import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseRedaction, redactor } from "../../collector/sidecar/redact.ts";
import { post } from "./post.ts";
import { startCollector } from "./test-collector.ts";

const KEY = "a key that nobody guesses";
const redact = [
  "email=drop",
  "name=hash",
  "account=hash",
  "zip=truncate:2",
  "nested=hash",
  "answer=drop",
].map(parseRedaction);
const collect = { models: { m: { redact } }, redactKey: KEY };
const MARK = "plainvalue";

const record = (i: number) => ({
  id: `r${i}`,
  time: "2026-01-01T10:00:00Z",
  inputs: {
    email: `${MARK}-${i}@example.org`,
    name: `${MARK} ${i}`,
    account: 9_000_000_000 + i,
    zip: `98${MARK}`,
    nested: { deep: [`${MARK}`] },
    kept: `open-${i}`,
  },
  outputs: { answer: `${MARK} out`, score: 0.5 },
});

/** Names of the files of a folder that hold a text. */
function holding(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}

it("leaves no plain value anywhere in the data folder: not in the journal, not in the tables", async () => {
  const { api, collector, dataDir, database, stop } = await startCollector({ collect });
  const odd = `{"id":"odd","inputs":{"n\\u0061me":"${MARK}","email":["${MARK}"],"zip":12,"kept":"open-odd"}}`;
  await post(api, "records", [...Array.from({ length: 500 }, (_, i) => record(i)), JSON.parse(odd)]);
  await post(api, "records", odd.replace('"odd"', '"odd2"'));
  expect(holding(dataDir, "open-1"), "in the journal").not.toEqual([]);
  expect(holding(dataDir, MARK)).toEqual([]);
  expect(holding(dataDir, "9000000001")).toEqual([]);
  await collector.flush();
  await database.checkpoint();
  expect(holding(dataDir, MARK)).toEqual([]);
  const columns = await database.all<{ name: string }>("select name from model_columns order by 1");
  expect(columns.map(({ name }) => name)).toEqual(["account", "kept", "name", "nested", "score", "zip"]);
  await stop();
  expect(holding(dataDir, MARK)).toEqual([]);
});

it("hashes as the sidecar does, so that equal values stay equal, and missing ones missing", async () => {
  const { api, collector, database } = await startCollector({ collect });
  const sidecar = redactor(redact, KEY);
  const { inputs } = record(7);
  await post(api, "records", [
    record(7),
    { id: "null", inputs: { name: null, zip: null, account: null } },
    { id: "other", inputs: { name: true, zip: 98_765, account: "text" } },
  ]);
  await collector.flush();
  const rows = await database.all<Record<string, unknown>>(
    "select in_name, in_account, in_zip, in_nested, overflow from views.m order by record_id",
  );
  const expected = sidecar({ ...inputs });
  expect(rows).toEqual([
    { in_name: null, in_account: null, in_zip: null, in_nested: null, overflow: null },
    {
      in_name: sidecar({ name: true }).name,
      in_account: sidecar({ account: "text" }).account,
      in_zip: null,
      in_nested: null,
      overflow: null,
    },
    {
      in_name: expected.name,
      in_account: expected.account,
      in_zip: "98",
      in_nested: expected.nested,
      overflow: null,
    },
  ]);
  expect(expected.name).toMatch(/^[0-9a-f]{32}$/);
});

it("says at the start when something is to be hashed without a key", async () => {
  await expect(startCollector({ collect: { models: { m: { redact } } } })).rejects.toThrow(
    "models.m.redact.name is to be hashed: set redact_key",
  );
});

it("keeps a hash apart in a column that held numbers before it was redacted", async () => {
  const first = await startCollector();
  await post(first.api, "records", [{ id: "before", inputs: { account: 1 } }]);
  await first.stop();
  const { api, collector, database } = await startCollector({ collect, dataDir: first.dataDir });
  await post(api, "records", [{ id: "after", inputs: { account: 2 } }]);
  await collector.flush();
  const hash = redactor(redact, KEY)({ account: 2 }).account;
  expect(await database.all("select in_account, overflow from views.m order by record_id")).toEqual([
    { in_account: null, overflow: JSON.stringify({ in_account: hash }) },
    { in_account: 1, overflow: null },
  ]);
});
