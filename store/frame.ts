import type { ModelColumn } from "./models.ts";

/** How a column's values lie in memory, in the journal and in Parquet: little-endian, one after the other. */
export type Layout = "f32" | "f64" | "i64" | "i32" | "bool" | "text" | "json";

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

/** The frame as bytes, in memory that `allocate` gives, and the same frame with its columns lying in those bytes. */
export function encodeFrame(
  { kind, model, rows, columns }: Frame,
  allocate: (bytes: number) => Buffer = Buffer.allocUnsafe,
): { readonly bytes: Buffer; readonly frame: Frame } {
  let header = `{"kind":"${kind}","model":${JSON.stringify(model)},"rows":${rows},"columns":[`;
  let total = 0;
  for (const column of columns) {
    header += `${total > 0 ? "," : ""}${headOf(column)},"count":${column.count},"bytes":${column.data.length}}`;
    total += (column.present ? bitmapBytes(rows) : 0) + column.data.length;
  }
  header += "]}";
  const headerBytes = Buffer.byteLength(header);
  const bytes = allocate(4 + headerBytes + total);
  bytes.writeUInt32LE(headerBytes, 0);
  bytes.write(header, 4);
  let at = 4 + headerBytes;
  const lying: FrameColumn[] = [];
  for (const { column, layout, feature, count, present, data } of columns) {
    let bits: Uint8Array | undefined;
    if (present) {
      bits = bytes.subarray(at, at + bitmapBytes(rows));
      bits.set(present.subarray(0, bitmapBytes(rows)));
      at += bitmapBytes(rows);
    }
    const values = bytes.subarray(at, at + data.length);
    values.set(data);
    at += data.length;
    const where = { column, layout, count, present: bits, data: values };
    lying.push(feature ? { ...where, feature } : where);
  }
  return { bytes, frame: { kind, model, rows, columns: lying } };
}

/** What the header says of a column in every frame: made once for a feature, for it takes as long as the rest. */
const featureHeads = new WeakMap<object, string>();

function headOf({ column, layout, feature }: FrameColumn): string {
  const known = feature && featureHeads.get(feature);
  if (known) return known;
  const head = `{"column":${JSON.stringify(column)},"layout":"${layout}"`;
  if (!feature) return head;
  const whole = `${head},"feature":${JSON.stringify(feature)}`;
  featureHeads.set(feature, whole);
  return whole;
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
