import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { Database } from "../../store/database.ts";
import { readThrift, type ThriftStruct, type ThriftValue, ThriftWriter } from "../../store/thrift.ts";

const I64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const { struct: anyStruct } = fc.letrec<{ struct: ThriftStruct; value: [number, ThriftValue] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.boolean().map((value) => [value ? 1 : 2, value] as [number, ThriftValue]),
    fc.integer({ min: 0, max: 255 }).map((value) => [3, BigInt(value)] as [number, ThriftValue]),
    fc.tuple(fc.constantFrom(4, 5, 6), fc.bigInt(I64)),
    fc.uint8Array({ minLength: 8, maxLength: 8 }).map((value) => [7, value] as [number, ThriftValue]),
    fc.uint8Array({ maxLength: 40 }).map((value) => [8, value] as [number, ThriftValue]),
    fc
      .array(fc.bigInt(I64), { maxLength: 20 })
      .map((items) => [9, { type: 6, items }] as [number, ThriftValue]),
    fc
      .array(fc.boolean(), { maxLength: 4 })
      .map((items) => [10, { type: 1, items }] as [number, ThriftValue]),
    fc
      .array(tie("struct"), { maxLength: 4 })
      .map((items) => [9, { type: 12, items }] as [number, ThriftValue]),
    tie("struct").map((struct) => [12, struct] as [number, ThriftValue]),
  ),
  struct: fc
    .dictionary(fc.integer({ min: 1, max: 32_767 }).map(String), tie("value"), { maxKeys: 5 })
    .map((fields) => {
      const inOrder = Object.entries(fields).sort(([a], [b]) => Number(a) - Number(b));
      return new Map(inOrder.map(([field, [type, value]]) => [Number(field), { type, value }]));
    }),
}));

function written(struct: ThriftStruct): Uint8Array {
  return new ThriftWriter().item((writer) => writer.fields(struct)).bytes();
}

describe("a struct", () => {
  it("is the same when it was written and read", () => {
    fc.assert(
      fc.property(anyStruct, (struct) => {
        const bytes = written(struct);
        const read = readThrift(Uint8Array.of(1, 2, 3, ...bytes, 4, 5, 6), 3);
        expect(read.end).toBe(3 + bytes.length);
        expect(read.struct).toEqual(struct);
      }),
    );
  });

  it("of a Parquet file that was read is written byte for byte as it was", async () => {
    const folder = mkdtempSync(join(tmpdir(), "leeway-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "table.parquet");
    const database = await Database.open(":memory:");
    const connection = await database.connect();
    await connection.run(
      `copy (select i as id, 'text ' || i as text, {'x': -i, 'y': [i]} as struct, i / 3 as number from range(9000) t(i))
       to '${path}' (format parquet, row_group_size 2048, kv_metadata {a: 'b'})`,
    );
    connection.closeSync();
    await database.close();
    const bytes = readFileSync(path);
    const footer = bytes.subarray(bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8), bytes.length - 8);
    const { struct, end } = readThrift(footer);
    expect(end).toBe(footer.length);
    expect(Buffer.from(written(struct)).equals(footer)).toBe(true);
  });

  it("that is damaged is refused, and what it claims to hold is not allocated", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          readThrift(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 2_000 },
    );
    const billion = [0x80, 0x94, 0xeb, 0xdc, 0x03];
    expect(() => readThrift(Uint8Array.from([0x19, 0xf5, ...billion]))).toThrow(
      "a thrift list of 1000000000",
    );
    expect(() => readThrift(Uint8Array.from([0x18, ...billion]))).toThrow("end too early");
    expect(() => readThrift(new Uint8Array(10_000).fill(0x1c))).toThrow("nested too deeply");
    expect(() => readThrift(new Uint8Array(10_000).fill(0x19))).toThrow("nested too deeply");
    expect(() => readThrift(Uint8Array.from([0x16, ...new Uint8Array(12).fill(0xff)]))).toThrow(
      "more than 64 bits",
    );
  });
});
