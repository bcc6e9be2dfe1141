import { open } from "node:fs/promises";
import { bitmapBytes, type Frame, type FrameColumn, type Layout } from "./frame.ts";
import { ThriftWriter } from "./thrift.ts";

/** Physical types of Parquet, and the marks that tell a text or JSON from other byte arrays. */
const PARQUET_TYPE: Readonly<Record<Layout, number>> = { bool: 0, i32: 1, i64: 2, f64: 5, text: 6, json: 6 };
const CONVERTED_TYPE: Partial<Readonly<Record<Layout, number>>> = { text: 0, json: 19 };
const OPTIONAL = 1;
const PLAIN = 0;
const RLE = 3;
const MAGIC = Buffer.from("PAR1");

/** Rows after which the next row group begins: enough to be cheap, few enough for two threads to share the work. */
const GROUP_ROWS = 32_768;

interface ColumnChunk {
  readonly column: string;
  readonly layout: Layout;
  readonly offset: number;
  readonly bytes: number;
}

interface RowGroup {
  readonly rows: number;
  readonly bytes: number;
  readonly chunks: readonly ColumnChunk[];
}

/**
 * Writes frames of one model as a Parquet file, the form DuckDB reads fastest: values lie in a frame as they lie in an
 * uncompressed page (encoding PLAIN), so they are only copied. The file is a means of loading and lives for a moment.
 * @see https://parquet.apache.org/docs/file-format/
 */
export async function writeParquet(path: string, frames: readonly Frame[]): Promise<void> {
  const columns = new Map<string, Layout>();
  for (const frame of frames) for (const { column, layout } of frame.columns) columns.set(column, layout);
  const file = await open(path, "w");
  try {
    const groups: RowGroup[] = [];
    let offset = MAGIC.length;
    await file.write(MAGIC);
    for (const part of inGroups(frames)) {
      const { group, pages } = rowGroup(part, columns, offset);
      const { bytesWritten } = await file.writev(pages);
      if (bytesWritten !== group.bytes)
        throw new Error(`${path}: wrote ${bytesWritten} of ${group.bytes} bytes`);
      groups.push(group);
      offset += group.bytes;
    }
    await file.write(footer(columns, groups));
  } finally {
    await file.close();
  }
}

function inGroups(frames: readonly Frame[]): Frame[][] {
  const groups: Frame[][] = [];
  let rows = GROUP_ROWS;
  for (const frame of frames) {
    if (rows >= GROUP_ROWS) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)?.push(frame);
    rows += frame.rows;
  }
  return groups;
}

/** One page per column. */
function rowGroup(
  frames: readonly Frame[],
  columns: ReadonlyMap<string, Layout>,
  start: number,
): { readonly group: RowGroup; readonly pages: Uint8Array[] } {
  const rows = frames.reduce((sum, frame) => sum + frame.rows, 0);
  const parts = new Map<string, (FrameColumn | undefined)[]>();
  for (const column of columns.keys())
    parts.set(
      column,
      frames.map(() => undefined),
    );
  frames.forEach((frame, i) => {
    for (const column of frame.columns) (parts.get(column.column) ?? [])[i] = column;
  });
  const pages: Uint8Array[] = [];
  const chunks: ColumnChunk[] = [];
  let offset = start;
  for (const [column, layout] of columns) {
    const page = pageOf(frames, parts.get(column) ?? [], layout, rows);
    const bytes = page.reduce((sum, part) => sum + part.length, 0);
    chunks.push({ column, layout, offset, bytes });
    pages.push(...page);
    offset += bytes;
  }
  return { group: { rows, bytes: offset - start, chunks }, pages };
}

function pageOf(
  frames: readonly Frame[],
  columns: readonly (FrameColumn | undefined)[],
  layout: Layout,
  rows: number,
): Uint8Array[] {
  const levels = definitionLevels(frames, columns, rows);
  const values: Uint8Array[] = [];
  for (const column of columns) if (column) values.push(column.data);
  const data = layout === "bool" ? [packBits(values)] : values.length > 8 ? [Buffer.concat(values)] : values;
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

function footer(columns: ReadonlyMap<string, Layout>, groups: readonly RowGroup[]): Uint8Array {
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  const root = { name: "rows", layout: undefined };
  const elements = [root, ...[...columns].map(([name, layout]) => ({ name, layout }))];
  const metadata = new ThriftWriter().item((file) =>
    file
      .i32(1, 1)
      .structs(2, elements, (element, { name, layout }) => {
        if (layout === undefined) return element.text(4, name).i32(5, columns.size);
        element.i32(1, PARQUET_TYPE[layout]).i32(3, OPTIONAL).text(4, name);
        const converted = CONVERTED_TYPE[layout];
        return converted === undefined ? element : element.i32(6, converted);
      })
      .i64(3, rows)
      .structs(4, groups, (group, { rows: groupRows, bytes, chunks }) =>
        group
          .structs(1, chunks, (chunk, { column, layout, offset, bytes: size }) =>
            chunk.i64(2, offset).struct(3, (meta) =>
              meta
                .i32(1, PARQUET_TYPE[layout])
                .i32s(2, [PLAIN, RLE])
                .texts(3, [column])
                .i32(4, 0) // uncompressed
                .i64(5, groupRows)
                .i64(6, size)
                .i64(7, size)
                .i64(9, offset),
            ),
          )
          .i64(2, bytes)
          .i64(3, groupRows),
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
