import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { collectRules } from "../../collector/collect-settings.ts";
import { KeyIndex } from "../../collector/key-index.ts";
import { RecordRows } from "../../collector/record-rows.ts";
import type { RequestContext } from "../../collector/rows.ts";
import { parseRedaction } from "../../collector/sidecar/redact.ts";
import { decodeFrame, encodeFrame, type Frame } from "../../store/frame.ts";
import { startCollector, temporaryFolder } from "./test-collector.ts";

const context: RequestContext = {
  receivedAt: { seconds: 1_770_000_000, micros: 0 },
  idFor: (i) => `given-${i}`,
};

const everything = collectRules(undefined, "m");
const withRules = collectRules(
  {
    models: {
      m: {
        sample: 0.5,
        redact: ["age=hash", "Age=truncate:1", "city=drop", "x=truncate:2", "__proto__=hash"].map(
          parseRedaction,
        ),
      },
    },
    redactKey: "secret",
  },
  "m",
);

function emptyRows(mostColumns = 2_000, rules = everything): RecordRows {
  return new RecordRows({
    model: "m",
    seed: [1, 2, 3, 4],
    index: new KeyIndex(),
    columns: [],
    mostColumns,
    rules,
  });
}

/** What both ways make of a record, as the frame that goes to the journal. */
function bothWays(texts: readonly string[], rules = everything) {
  const [scanned, parsed] = [emptyRows(2_000, rules), emptyRows(2_000, rules)];
  const outcomes = texts.map((text, i) => {
    const bytes = Buffer.from(text);
    const value: unknown = JSON.parse(text);
    const byScan = scanned.scan(bytes, { from: 0, to: bytes.length }, context, i);
    return {
      byScan: byScan === "unusual" ? scanned.parse(value, context, i) : byScan,
      byParse: parsed.parse(value, context, i),
    };
  });
  return { outcomes, byScan: contents(scanned.finish()), byParse: contents(parsed.finish()) };
}

/** Columns by name, so that their order does not matter; as bytes, so that -0 and NaN count. */
function contents(frame: Frame) {
  const { columns, ...rest } = decodeFrame(encodeFrame(frame).bytes);
  return {
    ...rest,
    columns: Object.fromEntries(
      columns.map(({ column, data, present, ...more }) => [
        column,
        {
          ...more,
          data: Buffer.from(data).toString("latin1"),
          present: present && Buffer.from(present).toString("hex"),
        },
      ]),
    ),
  };
}

const name = fc.oneof(
  fc.constantFrom(
    "age",
    "Age",
    "city",
    "x",
    "__proto__",
    "constructor",
    "",
    '"',
    "a'b",
    "ö",
    "in_x",
    "x\u0007",
  ),
  fc.string({ unit: "binary", maxLength: 5 }),
);
const value = fc.oneof(
  // Digits beyond 2^53 are kept by scanning only: JSON.parse has lost them.
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((n) => Math.abs(n) < 2 ** 53 || Math.abs(n) > 1e21),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(null, "", "\ud800", "a\u0000b", "ü", 9007199254740991, -0),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.array(fc.jsonValue({ maxDepth: 2, stringUnit: "binary" }), { maxLength: 3 }),
  fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
);
const features = fc.dictionary(name, value, { maxKeys: 5 });
const record = fc.record(
  {
    id: fc.oneof(
      fc.string({ maxLength: 4 }),
      fc.nat(20),
      fc.constantFrom(-1, 1.5, 1e300, "\ud800", null, true),
    ),
    row: fc.constantFrom(0, 1, 2_147_483_647, 2_147_483_648, -1, 0.5, "1"),
    time: fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789+05:30", "yesterday", 5),
    version: fc.constantFrom("1", "v1.2", "", "ü", "-a", 3),
    deployment: fc.constantFrom("blue", "a b"),
    inputs: fc.oneof(
      { weight: 9, arbitrary: features },
      { weight: 1, arbitrary: fc.constantFrom(null, [], 3) },
    ),
    outputs: features,
    status: fc.constantFrom(200, 400, 999, 1_000, -1, "200"),
    weight: fc.constantFrom(1, 2.5, 1e6, 0.5, 1e7, -0, "1"),
    latency_ms: fc.constantFrom(0, 1.5, -1, -0, "1"),
    other: fc.constant(1),
  },
  { requiredKeys: ["inputs"] },
);
const usualRecord = fc.record(
  { id: fc.nat(1_000).map(String), inputs: features, outputs: features },
  { requiredKeys: ["inputs"] },
);
const records = fc.array(fc.oneof(usualRecord, record), { maxLength: 6 });

// Nested values are kept as they were sent, white space too, so the records are written without.
it.each([
  { rules: everything, says: "all of it" },
  { rules: withRules, says: "a sample, redacted" },
])("stores the same of a record whether it is scanned or parsed: $says", ({ rules }) => {
  fc.assert(
    fc.property(records, (all) => {
      const texts = all.map((one) => JSON.stringify(one));
      fc.pre(rules === everything || !texts.some((text) => /\d{16}/.test(text))); // hashed with all digits by scanning only
      const { outcomes, byScan, byParse } = bothWays(texts, rules);
      for (const { byScan: scanned, byParse: parsed } of outcomes) expect(scanned).toEqual(parsed);
      expect(byScan).toEqual(byParse);
    }),
    { numRuns: 2_000 },
  );
});

it.each([
  '{"id":1,"inputs":{"a":1,"a":2}}',
  '{"id":1,"inputs":{"a":1},"inputs":{"a":"x"}}',
  '{"id":1,"id":2,"inputs":{}}',
  '{"inputs":{"\\u0061":1,"b":2}}',
  '{"inputs":{"a":{"__proto__":1}}}',
  '{"inputs":{"a":"\\ud83d\\ude00","b":"\\n"}}',
  '{"inputs":{"a":[1,2,{"b":"\\ud800"}]}}',
  '{"inputs":{"a":-0.0},"latency_ms":1e2}',
  '{"inputs":{"a":null}}',
  '{"id":"x","inputs":{"a":1},"version":"1","version":"2"}',
])("stores the same of %s", (text) => {
  const { outcomes, byScan, byParse } = bothWays([text, '{"inputs":{"a":1,"b":"t"}}', text]);
  for (const { byScan: scanned, byParse: parsed } of outcomes) expect(scanned).toEqual(parsed);
  expect(byScan).toEqual(byParse);
});

it("keeps nothing of a record that is refused: not its values, names or types", () => {
  const rows = emptyRows(2);
  const scan = (text: string) => {
    const bytes = Buffer.from(text);
    const outcome = rows.scan(bytes, { from: 0, to: bytes.length }, context, 0);
    return outcome === "unusual" ? rows.parse(JSON.parse(text), context, 0) : outcome;
  };
  expect(scan('{"id":"a","inputs":{"x":"text","y":1,"z":2}}')).toEqual([
    { path: "inputs.z", message: 'is new, and model "m" has 2 features and outputs, the most there may be' },
  ]);
  expect(scan('{"id":"b","inputs":{"p":1,"q":true},"version":"?"}')).toMatchObject([{ path: "version" }]);
  expect(scan('{"id":"c","inputs":{"x":1,"y":"text"}}')).toBe("stored");
  const { rows: count, columns } = rows.finish();
  expect(count).toBe(1);
  expect(columns.filter(({ feature }) => feature).map(({ column, layout }) => [column, layout])).toEqual([
    ["in_x", "f64"],
    ["in_y", "text"],
  ]);
});

it("whatever is taken in can be loaded into the tables", async () => {
  const dataDir = join(temporaryFolder(), "data");
  const { collector, database, stop } = await startCollector({ dataDir });
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(records, { maxLength: 5 }), async (batches) => {
      const model = `m${round++ % 5}`;
      let stored = 0;
      const before = await rowsOf(model);
      for (const batch of batches) {
        const bytes = Buffer.from(JSON.stringify(batch));
        stored += (await collector.receiveRecords(model, { bytes, format: "json" })).stored;
      }
      await collector.flush();
      expect(await rowsOf(model)).toBe(before + stored);
      if (before + stored > 0) await database.all(`select * from views.${model}`);
    }),
    { numRuns: 60 },
  );
  await stop();
  await startCollector({ dataDir }); // and what it left can be opened again

  async function rowsOf(model: string): Promise<number> {
    const [table] = await database.all("select 1 from collected_models where model = $model", { model });
    if (!table) return 0;
    const [row] = await database.all<{ rows: number }>(`select count(*) as rows from records_${model}`);
    return row?.rows ?? 0;
  }
});
