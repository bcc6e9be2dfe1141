import type { ModelColumn } from "./models.ts";

/** How a column's values lie in memory, in the journal and in Parquet: little-endian, one after the other. */
export type Layout = "f64" | "i64" | "i32" | "bool" | "text" | "json";

/** A column of a frame. Values that are there follow each other; a text or JSON is its length (4 bytes) and its UTF-8. */
export interface FrameColumn {
  readonly column: string;
  readonly layout: Layout;
  /** Set for a feature or output, so that the loader can make the column. */
  readonly feature?: Pick<ModelColumn, "direction" | "name" | "type">;
  /** How many rows have a value. */
  readonly count: number;
  /** One bit per row, the first row lowest; absent when every row has a value. */
  readonly present?: Uint8Array | undefined;
  readonly data: Uint8Array;
}

/** Rows of one model, column by column: the unit of the journal and of loading. */
export interface Frame {
  readonly kind: "records" | "labels";
  readonly model: string;
  readonly rows: number;
  readonly columns: readonly FrameColumn[];
}

interface Header extends Omit<Frame, "columns"> {
  readonly columns: readonly (Omit<FrameColumn, "present" | "data"> & { readonly bytes: number })[];
}

/** The frame as bytes, and the same frame with its columns lying in those bytes. */
export function encodeFrame(frame: Frame): { readonly bytes: Buffer; readonly frame: Frame } {
  const { kind, model, rows } = frame;
  const header: Header = {
    kind,
    model,
    rows,
    columns: frame.columns.map(({ column, layout, feature, count, data }) => ({
      column,
      layout,
      ...(feature ? { feature } : {}),
      count,
      bytes: data.length,
    })),
  };
  const text = Buffer.from(JSON.stringify(header));
  const total = frame.columns.reduce(
    (sum, { present, data }) => sum + (present ? bitmapBytes(rows) : 0) + data.length,
    4 + text.length,
  );
  const bytes = Buffer.allocUnsafe(total);
  bytes.writeUInt32LE(text.length, 0);
  bytes.set(text, 4);
  let at = 4 + text.length;
  for (const { present, data } of frame.columns) {
    if (present) {
      bytes.set(present.subarray(0, bitmapBytes(rows)), at);
      at += bitmapBytes(rows);
    }
    bytes.set(data, at);
    at += data.length;
  }
  return { bytes, frame: view(header, bytes, 4 + text.length) };
}

/** The frame that lies in `bytes`, without copying. @throws RangeError when they are no frame. */
export function decodeFrame(bytes: Buffer): Frame {
  const length = bytes.readUInt32LE(0);
  const header = JSON.parse(bytes.toString("utf8", 4, 4 + length)) as Header; // checked by the journal's checksum
  return view(header, bytes, 4 + length);
}

function view(header: Header, bytes: Buffer, start: number): Frame {
  let at = start;
  const take = (length: number) => {
    if (at + length > bytes.length)
      throw new RangeError(`frame of ${bytes.length} bytes is shorter than it says`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  const { kind, model, rows } = header;
  const columns = header.columns.map(({ bytes: length, ...column }) => ({
    ...column,
    present: column.count < rows ? take(bitmapBytes(rows)) : undefined,
    data: take(length),
  }));
  return { kind, model, rows, columns };
}

/** Bytes of a bitmap of so many rows. */
export function bitmapBytes(rows: number): number {
  return (rows + 7) >> 3;
}
