import { type Key, type WrittenKey, writtenKey } from "./key-table.ts";

/** What a record may have. */
export const RECORD_FIELDS = [
  "id",
  "row",
  "time",
  "version",
  "deployment",
  "inputs",
  "outputs",
  "status",
  "latency_ms",
  "weight",
] as const;
export type RecordFieldName = (typeof RECORD_FIELDS)[number];

export class RecordField implements Key<RecordField> {
  readonly written: WrittenKey;
  readonly name: RecordFieldName;
  stamp = -1;
  next: RecordField | undefined;
  constructor(name: RecordFieldName) {
    this.name = name;
    this.written = writtenKey(name);
  }
}

/** Bytes that version and deployment names are made of; the first is a letter or digit. */
const NAME_BYTES = new Uint8Array(256);
for (const letter of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
  NAME_BYTES[letter.charCodeAt(0)] = 2;
for (const letter of "._-") NAME_BYTES[letter.charCodeAt(0)] = 1;

/** Whether the bytes at `[from, to)` can name a version or a deployment. */
export function isName(bytes: Uint8Array, from: number, to: number): boolean {
  if (from === to || to - from > 128 || NAME_BYTES[bytes[from] as number] !== 2) return false;
  for (let at = from; at < to; at++) if (NAME_BYTES[bytes[at] as number] === 0) return false;
  return true;
}
