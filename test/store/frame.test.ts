import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Database } from "../../store/database.ts";
import { decodeFrame, encodeFrame, type Frame, type FrameColumn, type Layout } from "../../store/frame.ts";
import { writeParquet } from "../../store/parquet-writer.ts";

type Value = number | bigint | string | boolean | null;
type Column = { readonly layout: Layout; readonly values: readonly Value[] };

const anyValue: Readonly<Record<Layout, fc.Arbitrary<Value>>> = {
  f32: fc.float({ noNaN: true }),
  f64: fc.double({ noNaN: true }),
  i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  i32: fc.integer(),
  bool: fc.boolean(),
  text: fc.string({ unit: "grapheme", maxLength: 20 }),
  json: fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
};
const LAYOUTS = Object.keys(anyValue) as Layout[];

/** Frames of the same seven columns, of which each may lack some values or all. */
const frames = fc.array(
  fc
    .integer({ min: 1, max: 40 })
    .chain((rows) =>
      fc.tuple(
        ...LAYOUTS.map((layout) =>
          fc.oneof(
            fc.array(anyValue[layout], { minLength: rows, maxLength: rows }),
            fc.array(fc.option(anyValue[layout]), { minLength: rows, maxLength: rows }),
            fc.constant(Array.from({ length: rows }, () => null)),
          ),
        ),
      ),
    ),
  { minLength: 1, maxLength: 12 },
);

function columnOf(name: string, { layout, values }: Column): FrameColumn {
  const there = values.filter((value) => value !== null);
  const present = new Uint8Array((values.length + 7) >> 3);
  values.forEach((value, row) => {
    if (value !== null) present[row >> 3] = (present[row >> 3] ?? 0) | (1 << (row & 7));
  });
  return {
    column: name,
    layout,
    count: there.length,
    present: there.length === values.length ? undefined : present,
    data: Buffer.concat(there.map((value) => bytesOf(layout, value))),
  };
}

function bytesOf(layout: Layout, value: Value): Buffer {
  const bytes = Buffer.alloc(layout === "bool" ? 1 : /32$/.test(layout) ? 4 : 8);
  if (layout === "f32") bytes.writeFloatLE(value as number);
  else if (layout === "f64") bytes.writeDoubleLE(value as number);
  else if (layout === "i64") bytes.writeBigInt64LE(value as bigint);
  else if (layout === "i32") bytes.writeInt32LE(value as number);
  else if (layout === "bool") bytes[0] = value ? 1 : 0;
  else {
    const text = Buffer.from(value as string);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    return Buffer.concat([length, text]);
  }
  return bytes;
}

function frameOf(columns: readonly (readonly Value[])[]): Frame {
  const rows = columns[0]?.length ?? 0;
  return {
    kind: "records",
    model: "m",
    rows,
    columns: columns.flatMap((values, i) => {
      const layout = LAYOUTS[i] as Layout;
      const column = columnOf(`${layout} "column"`, { layout, values });
      return column.count > 0 || layout === "i32" ? [column] : []; // a column without values may be left out
    }),
  };
}

describe("a frame", () => {
  it("is the same after it was bytes", () => {
    fc.assert(
      fc.property(frames, (all) => {
        for (const columns of all) {
          const frame = frameOf(columns);
          const encoded = encodeFrame(frame);
          for (const again of [encoded.frame, decodeFrame(encoded.bytes)]) {
            expect(again.columns.map(plain)).toEqual(frame.columns.map(plain));
            expect({ ...again, columns: [] }).toEqual({ ...frame, columns: [] });
          }
        }
      }),
    );
  });

  it("that is shorter than it says is no frame", () => {
    const { bytes } = encodeFrame(frameOf(LAYOUTS.map((layout) => [layout === "f64" ? 1 : null])));
    expect(() => decodeFrame(bytes.subarray(0, bytes.length - 1))).toThrow(/shorter than it says/);
  });
});

describe("frames as Parquet", () => {
  const folder = mkdtempSync(join(tmpdir(), "leeway-test-"));
  let database: Database;
  beforeAll(async () => {
    database = await Database.open(":memory:");
  });
  afterAll(async () => {
    await database.close();
    rmSync(folder, { recursive: true });
  });

  it("are read by DuckDB value for value", async () => {
    const file = join(folder, "frames.parquet");
    await fc.assert(
      fc.asyncProperty(frames, fc.constantFrom("one", "each"), async (all, pages) => {
        await writeParquet(file, all.map(frameOf), pages);
        const rows = await database.all<Record<string, Value>>(`select * from read_parquet('${file}')`);
        const expected = all.flatMap((columns) =>
          (columns[0] ?? []).map((_, row) => columns.map((c) => c[row] ?? null)),
        );
        expect(rows).toHaveLength(expected.length);
        rows.forEach((row, i) => {
          const read = LAYOUTS.map((layout) => row[`${layout} "column"`] ?? null);
          expect(read.map(String)).toEqual(expected[i]?.map(String));
        });
      }),
      { numRuns: 60 },
    );
  });

  it("may be more than a row group holds, and types are DuckDB's own", async () => {
    const file = join(folder, "large.parquet");
    const values = Array.from({ length: 5_000 }, (_, i) => i);
    const frame = frameOf([
      values,
      values,
      values.map(BigInt),
      values,
      values.map((i) => i % 3 === 0),
      values.map(String),
      values.map(String),
    ]);
    await writeParquet(
      file,
      Array.from({ length: 15 }, () => frame),
    );
    const [row] = await database.all(
      `select count(*) as n, sum("f64 ""column""") as f, sum("i64 ""column""")::double as i, count_if("bool ""column""") as b,
         max("text ""column""") as t, typeof(any_value("json ""column""")) as j from read_parquet('${file}')`,
    );
    expect(row).toEqual({ n: 75_000, f: 187_462_500, i: 187_462_500, b: 25_005, t: "999", j: "JSON" });
  });
});

function plain({ data, present, feature, ...column }: FrameColumn) {
  return { ...column, feature, data: [...data], present: present && [...present] };
}
