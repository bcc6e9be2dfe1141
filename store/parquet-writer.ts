import { open } from "node:fs/promises";
import { bitmapBytes, type Frame, type FrameColumn, type Layout } from "./frame.ts";
import { ThriftWriter } from "./thrift.ts";

/** Physical types of Parquet, and the marks that tell a text or JSON from other byte arrays. */
const PARQUET_TYPE: Readonly<Record<Layout, number>> = {
  bool: 0,
  i32: 1,
  i64: 2,
  f32: 4,
  f64: 5,
  text: 6,
  json: 6,
};
const CONVERTED_TYPE: Partial<Readonly<Record<Layout, number>>> = { text: 0, json: 19 };
const OPTIONAL = 1;
const PLAIN = 0;
const RLE = 3;
const MAGIC = Buffer.from("PAR1");

interface ColumnChunk {
  readonly column: string;
  readonly layout: Layout;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Writes frames of one model as a Parquet file, the form DuckDB reads fastest: values lie in a frame as they lie in an
 * uncompressed page (encoding PLAIN), so they are only copied. The file is a means of loading and lives for a moment.
 *
 * It has one row group, so that one thread of DuckDB reads it: two would gather half a row group of its own each, which
 * DuckDB then copies together and writes by way of its log, at twice the cost.
 *
 * @param pages - Whether a column's values lie in one page, or those of each frame in one of its own.
 * @see https://parquet.apache.org/docs/file-format/
 */
export async function writeParquet(
  path: string,
  frames: readonly Frame[],
  pages: "one" | "each" = "one",
): Promise<void> {
  const rows = frames.reduce((sum, frame) => sum + frame.rows, 0);
  const file = await open(path, "w");
  try {
    const chunks: ColumnChunk[] = [];
    let offset = MAGIC.length;
    await file.write(MAGIC);
    for (const { column, layout, parts } of columnsOf(frames)) {
      const page =
        pages === "one"
          ? pageOf(frames, parts, layout, rows)
          : frames.flatMap((frame, i) => pageOf([frame], [parts[i]], layout, frame.rows));
      const bytes = page.reduce((sum, part) => sum + part.length, 0);
      const { bytesWritten } = await file.writev(page);
      if (bytesWritten !== bytes) throw new Error(`${path}: wrote ${bytesWritten} of ${bytes} bytes`);
      chunks.push({ column, layout, offset, bytes });
      offset += bytes;
    }
    await file.write(footer(chunks, rows));
  } finally {
    await file.close();
  }
}

/** Every column there is in any of the frames, and what it is in each. */
function columnsOf(frames: readonly Frame[]) {
  const columns = new Map<
    string,
    { readonly column: string; readonly layout: Layout; readonly parts: (FrameColumn | undefined)[] }
  >();
  frames.forEach((frame, i) => {
    for (const part of frame.columns) {
      const { column, layout } = part;
      const known = columns.get(column) ?? { column, layout, parts: frames.map(() => undefined) };
      known.parts[i] = part;
      columns.set(column, known);
    }
  });
  return [...columns.values()];
}

/** A page with all of a column. */
function pageOf(
  frames: readonly Frame[],
  columns: readonly (FrameColumn | undefined)[],
  layout: Layout,
  rows: number,
): Uint8Array[] {
  const levels = definitionLevels(frames, columns, rows);
  const values: Uint8Array[] = [];
  for (const column of columns) if (column) values.push(column.data);
  const data = layout === "bool" ? [packBits(values)] : values.length > 64 ? [Buffer.concat(values)] : values;
  const size = data.reduce((sum, part) => sum + part.length, levels.length);
  const header = new ThriftWriter().item((page) =>
    page
      .i32(1, 0) // a data page
      .i32(2, size)
      .i32(3, size)
      .struct(5, (dataPage) => dataPage.i32(1, rows).i32(2, PLAIN).i32(3, RLE).i32(4, RLE)),
  );
  return [header.bytes(), levels, ...data];
}

/** Which rows have a value: one run of ones, or the bits themselves, each as a run of the RLE hybrid. */
function definitionLevels(
  frames: readonly Frame[],
  columns: readonly (FrameColumn | undefined)[],
  rows: number,
): Uint8Array {
  const complete = columns.every((column, i) => column !== undefined && column.count === frames[i]?.rows);
  if (complete) {
    const run = varint(rows * 2);
    return Buffer.concat([uint32(run.length + 1), run, Uint8Array.of(1)]);
  }
  const bits = presentBits(frames, columns, rows);
  const run = varint(bits.length * 2 + 1);
  return Buffer.concat([uint32(run.length + bits.length), run, bits]);
}

function presentBits(
  frames: readonly Frame[],
  columns: readonly (FrameColumn | undefined)[],
  rows: number,
): Uint8Array {
  const bits = new Uint8Array(bitmapBytes(rows));
  let start = 0;
  frames.forEach((frame, i) => {
    const column = columns[i];
    if (column?.present && (start & 7) === 0) bits.set(column.present, start >> 3);
    else if (column) {
      const { present } = column;
      for (let row = 0; row < frame.rows; row++) {
        if (present && (((present[row >> 3] as number) >> (row & 7)) & 1) === 0) continue;
        const at = start + row;
        bits[at >> 3] = (bits[at >> 3] as number) | (1 << (at & 7));
      }
    }
    start += frame.rows;
  });
  return bits;
}

function packBits(values: readonly Uint8Array[]): Uint8Array {
  const count = values.reduce((sum, part) => sum + part.length, 0);
  const bits = new Uint8Array(bitmapBytes(count));
  let at = 0;
  for (const part of values) {
    for (const value of part) {
      bits[at >> 3] = (bits[at >> 3] as number) | (value << (at & 7));
      at++;
    }
  }
  return bits;
}

function footer(chunks: readonly ColumnChunk[], rows: number): Uint8Array {
  const root = { column: "rows", layout: undefined };
  const groupBytes = chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  const metadata = new ThriftWriter().item((file) =>
    file
      .i32(1, 1)
      .structs(2, [root, ...chunks], (element, { column, layout }) => {
        if (layout === undefined) return element.text(4, column).i32(5, chunks.length);
        element.i32(1, PARQUET_TYPE[layout]).i32(3, OPTIONAL).text(4, column);
        const converted = CONVERTED_TYPE[layout];
        return converted === undefined ? element : element.i32(6, converted);
      })
      .i64(3, rows)
      .structs(4, ["the only row group"], (group) =>
        group
          .structs(1, chunks, (chunk, { column, layout, offset, bytes }) =>
            chunk.i64(2, offset).struct(3, (meta) =>
              meta
                .i32(1, PARQUET_TYPE[layout])
                .i32s(2, [PLAIN, RLE])
                .texts(3, [column])
                .i32(4, 0) // uncompressed
                .i64(5, rows)
                .i64(6, bytes)
                .i64(7, bytes)
                .i64(9, offset),
            ),
          )
          .i64(2, groupBytes)
          .i64(3, rows),
      ),
  );
  const bytes = metadata.bytes();
  return Buffer.concat([bytes, uint32(bytes.length), MAGIC]);
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  return Uint8Array.from([...bytes, left]);
}
