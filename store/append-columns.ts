import { copyFile, type FileHandle, open, readFile } from "node:fs/promises";
import { readThrift, type ThriftStruct, type ThriftValue, ThriftWriter } from "./thrift.ts";

/**
 * Fields of Parquet's metadata, by what they hold.
 * @see https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
 */
const FILE = { schema: 2, groups: 4, notes: 5, orders: 7, encryption: 8 } as const;
const ELEMENT = { children: 5 } as const;
const GROUP = { chunks: 1, bytes: 2, rows: 3, compressedBytes: 6 } as const;
const CHUNK = { offset: 2, about: 3 } as const;
const ABOUT = { values: 5, plainBytes: 6, bytes: 7, page: 9 } as const;
const PAGE = { bytes: 3, data: 5 } as const;
const DATA = { values: 1 } as const;

const STRUCT = 12;
const MAGIC = Buffer.from("PAR1");
/** The length of the metadata and the magic after it. */
const TAIL_BYTES = 4 + MAGIC.length;

/** A page of a column as it lies in a part. */
interface Page {
  readonly rows: number;
  readonly bytes: Uint8Array;
}

/** Pages of the same rows, one of each column, and what their part says of its columns. */
interface PageRow {
  readonly pages: readonly Page[];
  readonly elements: readonly ThriftValue[];
  readonly chunks: readonly ThriftStruct[];
}

/**
 * How many rows each row group of a Parquet file has; undefined when no columns can be appended to it (it is empty,
 * encrypted, or damaged, of which whoever reads it will tell).
 */
export async function rowsOfGroups(path: string): Promise<readonly number[] | undefined> {
  try {
    const { metadata } = await metadataOf(path);
    const rows = structsIn(metadata, FILE.groups).map((group) => numberIn(group, GROUP.rows));
    const plain = !metadata.has(FILE.encryption) && rows.length > 0 && rows.every((each) => each > 0);
    return plain ? rows : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * Writes a Parquet file with columns of others beside its own without reading a value: the file is copied as it is, the
 * pages of the new columns go after its own, and the metadata, which says where all of them lie, is written anew. What
 * writers note there for themselves is left out, as it would be of another table: the schema of Arrow, the index of pandas.
 *
 * @param parts - Files of `writeParquet` with the same columns, as they come, whose pages follow each other and end where
 *   row groups of the file do.
 */
export async function appendColumns(path: string, parts: AsyncIterable<string>, to: string): Promise<void> {
  const { metadata, start } = await metadataOf(path);
  await copyFile(path, to);
  const file = await open(to, "r+");
  try {
    await file.truncate(start);
    const rowsOfPages = pagesIn(parts);
    const groups: ThriftStruct[] = [];
    let offset = start;
    let elements: readonly ThriftValue[] = [];
    for (const group of structsIn(metadata, FILE.groups)) {
      const taken = await takeRows(rowsOfPages, numberIn(group, GROUP.rows));
      const [first] = taken as [PageRow]; // a group has rows
      elements = first.elements;
      const chunks = first.chunks.map((chunk, i) => {
        const pages = taken.map((row) => row.pages[i] as Page); // one of each column
        const made = { pages, chunk: movedChunk(chunk, pages, offset) };
        offset += bytesOf(pages);
        return made;
      });
      const pages = chunks.flatMap((chunk) => chunk.pages);
      await writeAll(
        file,
        pages.map(({ bytes }) => bytes),
        offset - bytesOf(pages),
      );
      groups.push(
        widerGroup(
          group,
          chunks.map(({ chunk }) => chunk),
          bytesOf(pages),
        ),
      );
    }
    const all = widerFile(metadata, elements, groups);
    const footer = new ThriftWriter().item((struct) => struct.fields(all)).bytes();
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    await writeAll(file, [footer, length, MAGIC], offset);
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function takeRows(rowsOfPages: AsyncIterator<PageRow>, rows: number): Promise<PageRow[]> {
  const taken: PageRow[] = [];
  let left = rows;
  while (left > 0) {
    const { value, done } = await rowsOfPages.next();
    if (done) throw new RangeError("the parts have fewer rows than the table");
    taken.push(value);
    left -= (value as PageRow).pages[0]?.rows ?? 0;
  }
  if (left < 0) throw new RangeError("a page reaches into the next row group");
  return taken;
}

async function* pagesIn(parts: AsyncIterable<string>): AsyncGenerator<PageRow> {
  for await (const part of parts) {
    const bytes = await readFile(part);
    const { struct: metadata } = readThrift(bytes.subarray(metadataStart(bytes, bytes.length)));
    const [group] = structsIn(metadata, FILE.groups);
    const elements = structsIn(metadata, FILE.schema).slice(1); // after the root
    const chunks = structsIn(group as ThriftStruct, GROUP.chunks); // it has one
    const columns = chunks.map((chunk) => pagesOf(bytes, structIn(chunk, CHUNK.about)));
    for (let at = 0; at < (columns[0]?.length ?? 0); at++)
      yield { pages: columns.map((pages) => pages[at] as Page), elements, chunks }; // as many of each
  }
}

function pagesOf(bytes: Uint8Array, about: ThriftStruct): Page[] {
  const pages: Page[] = [];
  let at = numberIn(about, ABOUT.page);
  const end = at + numberIn(about, ABOUT.bytes);
  while (at < end) {
    const { struct, end: head } = readThrift(bytes, at);
    const next = head + numberIn(struct, PAGE.bytes);
    pages.push({ rows: numberIn(structIn(struct, PAGE.data), DATA.values), bytes: bytes.subarray(at, next) });
    at = next;
  }
  return pages;
}

/** What is said of a column in a row group, as it lies from `offset` on. */
function movedChunk(chunk: ThriftStruct, pages: readonly Page[], offset: number): ThriftStruct {
  const bytes = bytesOf(pages);
  const about = new Map(structIn(chunk, CHUNK.about));
  setNumber(
    about,
    ABOUT.values,
    pages.reduce((sum, { rows }) => sum + rows, 0),
  );
  setNumber(about, ABOUT.plainBytes, bytes);
  setNumber(about, ABOUT.bytes, bytes);
  setNumber(about, ABOUT.page, offset);
  const moved = new Map(chunk);
  setNumber(moved, CHUNK.offset, offset);
  return moved.set(CHUNK.about, { type: STRUCT, value: about });
}

function widerGroup(group: ThriftStruct, chunks: readonly ThriftStruct[], bytes: number): ThriftStruct {
  const wider = new Map(group);
  for (const field of [GROUP.bytes, GROUP.compressedBytes])
    if (group.has(field)) setNumber(wider, field, numberIn(group, field) + bytes);
  setItems(wider, GROUP.chunks, [...structsIn(group, GROUP.chunks), ...chunks]);
  return wider;
}

function widerFile(
  metadata: ThriftStruct,
  elements: readonly ThriftValue[],
  groups: readonly ThriftStruct[],
): ThriftStruct {
  const wider = new Map(metadata);
  const [root, ...others] = structsIn(metadata, FILE.schema);
  const widerRoot = new Map(root);
  setNumber(widerRoot, ELEMENT.children, numberIn(widerRoot, ELEMENT.children) + elements.length);
  setItems(wider, FILE.schema, [widerRoot, ...others, ...elements]);
  setItems(wider, FILE.groups, groups);
  wider.delete(FILE.notes);
  // A union with its first and only kind: values are ordered as their type says.
  const byType: ThriftStruct = new Map([[1, { type: STRUCT, value: new Map() }]]);
  if (metadata.has(FILE.orders))
    setItems(wider, FILE.orders, [...structsIn(metadata, FILE.orders), ...elements.map(() => byType)]);
  return wider;
}

async function metadataOf(
  path: string,
): Promise<{ readonly metadata: ThriftStruct; readonly start: number }> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const tail = await readAt(file, Math.max(0, size - TAIL_BYTES), Math.min(size, TAIL_BYTES));
    const start = metadataStart(tail, size);
    const { struct } = readThrift(await readAt(file, start, size - TAIL_BYTES - start));
    return { metadata: struct, start };
  } finally {
    await file.close();
  }
}

/** Where the metadata begins in a file of `size` bytes that ends with `bytes`. */
function metadataStart(bytes: Uint8Array, size: number): number {
  const tail = Buffer.from(bytes.subarray(-TAIL_BYTES));
  if (tail.length < TAIL_BYTES || !tail.subarray(4).equals(MAGIC)) throw new RangeError("no Parquet file");
  const start = size - TAIL_BYTES - tail.readUInt32LE(0);
  if (start < MAGIC.length)
    throw new RangeError("no Parquet file: its metadata would be longer than the file");
  return start;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead < length) throw new RangeError("the file ends too early");
  return buffer;
}

async function writeAll(file: FileHandle, parts: readonly Uint8Array[], position: number): Promise<void> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const { bytesWritten } = await file.writev(parts, position);
  if (bytesWritten !== length) throw new Error(`wrote ${bytesWritten} of ${length} bytes`);
}

function bytesOf(pages: readonly Page[]): number {
  return pages.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function structIn(struct: ThriftStruct, field: number): ThriftStruct {
  const value = struct.get(field)?.value;
  if (value instanceof Map) return value;
  throw new RangeError(`field ${field} is no struct`);
}

function structsIn(struct: ThriftStruct, field: number): readonly ThriftStruct[] {
  const value = struct.get(field)?.value;
  if (typeof value === "object" && "items" in value && value.items.every((item) => item instanceof Map))
    return value.items;
  throw new RangeError(`field ${field} is no list of structs`);
}

function numberIn(struct: ThriftStruct, field: number): number {
  const value = struct.get(field)?.value;
  if (typeof value === "bigint") return Number(value);
  throw new RangeError(`field ${field} is no number`);
}

/** Sets a number that is there. */
function setNumber(struct: ThriftStruct, field: number, value: number): void {
  const { type } = struct.get(field) as { type: number }; // see above
  struct.set(field, { type, value: BigInt(value) });
}

/** Sets the structs of a list that is there. */
function setItems(struct: ThriftStruct, field: number, items: readonly ThriftValue[]): void {
  const { type } = struct.get(field) as { type: number }; // see above
  struct.set(field, { type, value: { type: STRUCT, items } });
}
