import { labelRecord } from "../schema/record.ts";
import type { Frame } from "../store/frame.ts";
import { BooleanColumn, IntegerColumn, NumberColumn, TextColumn } from "./column-builder.ts";
import { CLOSE_BRACE, COMMA, JsonCursor, OPEN_BRACE, QUOTE } from "./json-cursor.ts";
import { wellFormedText } from "./json-text.ts";
import { type HashSeed, hashKey, type KeyHash } from "./key-hash.ts";
import type { KeyIndex } from "./key-index.ts";
import { type Key, KeyTable, type WrittenKey, writtenKey } from "./key-table.ts";
import { RecordHead } from "./record-head.ts";
import { issuesOf, type RecordIssue } from "./record-issues.ts";
import { appendInstant, type Bounds, type Outcome, type RequestContext, type Rows } from "./rows.ts";

const FIELDS = ["id", "row", "label", "time"] as const;

class Field implements Key<Field> {
  readonly written: WrittenKey;
  readonly name: (typeof FIELDS)[number];
  stamp = -1;
  next: Field | undefined;
  constructor(name: (typeof FIELDS)[number]) {
    this.name = name;
    this.written = writtenKey(name);
  }
}

const TYPES = ["number", "text", "boolean"] as const;
type LabelType = (typeof TYPES)[number];

/** What is known of the labels stored so far. */
export interface LabelIndexes {
  /** Labels with a time: one key per (id, row, label, time). */
  readonly timed: KeyIndex;
  /** Labels without: per (id, row) the hash of the label that came last. */
  readonly untimed: KeyIndex;
}

/**
 * Gathers the ground truth for one model.
 *
 * A label with a time is a duplicate when the same label of the same time is there. One without a time stands for
 * "now", so it is a duplicate when it says what the last one said: after `1, 0` another `1` is news.
 */
export class LabelRows implements Rows {
  rows = 0;
  readonly #model: string;
  readonly #seed: HashSeed;
  readonly #indexes: LabelIndexes;
  readonly #cursor = new JsonCursor();
  readonly #fields: KeyTable<Field>;
  readonly #head = new RecordHead();
  readonly #key: KeyHash = { a: 0, b: 0, c: 0, d: 0 };
  readonly #event: KeyHash = { a: 0, b: 0, c: 0, d: 0 };
  #scratch = Buffer.alloc(256);
  #stamp = 0;

  readonly #recordId = new TextColumn();
  readonly #row = new IntegerColumn("i32");
  readonly #labelText = new TextColumn();
  readonly #number = new NumberColumn();
  readonly #type = new TextColumn();
  readonly #time = new IntegerColumn("i64");
  readonly #receivedAt = new IntegerColumn("i64");
  readonly #timed = new BooleanColumn();
  readonly #keyHigh = new IntegerColumn("i64");
  readonly #keyLow = new IntegerColumn("i32");
  readonly #eventHigh = new IntegerColumn("i64");
  readonly #eventLow = new IntegerColumn("i32");
  readonly #typeBytes = TYPES.map((type) => Buffer.from(type));

  /** Of the label at hand. */
  #labelType: LabelType | undefined;
  #label = "";
  #value = 0;

  constructor(options: {
    readonly model: string;
    readonly seed: HashSeed;
    readonly indexes: LabelIndexes;
  }) {
    this.#model = options.model;
    this.#seed = options.seed;
    this.#indexes = options.indexes;
    const fields = new Map<string, Field>(FIELDS.map((name) => [name, new Field(name)]));
    this.#fields = new KeyTable((name) => fields.get(name));
  }

  scan(bytes: Uint8Array, bounds: Bounds, context: RequestContext): Outcome | "unusual" {
    this.#cursor.open(bytes, bounds.from, bounds.to);
    this.#begin();
    if (!this.#scanLabel() || this.#cursor.peek() !== -1) return "unusual";
    return this.#finish(context);
  }

  parse(value: unknown, context: RequestContext): Outcome | readonly RecordIssue[] {
    const parsed = labelRecord.safeParse(value);
    if (!parsed.success) return issuesOf(parsed.error);
    const { id, row, label, time } = parsed.data;
    if (wellFormedText(String(id)) !== String(id))
      return [{ path: "id", message: "holds half a surrogate pair" }];
    this.#begin();
    this.#head.setId(String(id));
    this.#head.row = row;
    if (time !== undefined) this.#head.setTime(time);
    if (typeof label === "number") this.#setNumber(label, String(label));
    else this.#setLabel(typeof label === "boolean" ? "boolean" : "text", wellFormedText(String(label)));
    return this.#finish(context);
  }

  finish(): Frame {
    const columns = Object.entries(this.#columns())
      .filter(([, column]) => column.count > 0)
      .map(([name, column]) => column.finish(name, this.rows));
    return { kind: "labels", model: this.#model, rows: this.rows, columns };
  }

  reset(): void {
    this.rows = 0;
    for (const column of Object.values(this.#columns())) column.reset();
  }

  #columns() {
    return {
      record_id: this.#recordId,
      row: this.#row,
      label: this.#labelText,
      number: this.#number,
      type: this.#type,
      time: this.#time,
      received_at: this.#receivedAt,
      timed: this.#timed,
      key_high: this.#keyHigh,
      key_low: this.#keyLow,
      event_high: this.#eventHigh,
      event_low: this.#eventLow,
    };
  }

  #begin(): void {
    this.#stamp++;
    this.#head.reset();
    this.#labelType = undefined;
  }

  #scanLabel(): boolean {
    const cursor = this.#cursor;
    if (!cursor.take(OPEN_BRACE) || cursor.peek() !== QUOTE) return false;
    let field: Field | undefined;
    for (;;) {
      field = this.#fields.take(cursor, field, this.#stamp);
      if (field === undefined || !this.#scanField(field.name)) return false;
      const byte = cursor.peek();
      cursor.at++;
      if (byte === CLOSE_BRACE) return this.#labelType !== undefined && this.#head.idTo > 0;
      if (byte !== COMMA || cursor.peek() !== QUOTE) return false;
    }
  }

  #scanField(name: (typeof FIELDS)[number]): boolean {
    if (name === "id") return this.#head.readId(this.#cursor);
    if (name === "row") return this.#head.readRow(this.#cursor);
    if (name === "time") return this.#head.readTime(this.#cursor);
    const cursor = this.#cursor;
    const byte = cursor.peek();
    if (byte === QUOTE) {
      if (!cursor.string() || cursor.escaped) return false;
      this.#setLabel("text", this.#token());
    } else if (byte === 0x74 || byte === 0x66) {
      if (!cursor.literal(byte === 0x74 ? "true" : "false")) return false;
      this.#setLabel("boolean", this.#token());
    } else {
      if (!cursor.number()) return false;
      const large = cursor.wholeDigits > 15 && !Number.isSafeInteger(cursor.value);
      this.#setNumber(cursor.value, large ? this.#token() : String(cursor.value));
    }
    return true;
  }

  #setLabel(type: LabelType, text: string): void {
    this.#labelType = type;
    this.#label = text;
  }

  #setNumber(value: number, text: string): void {
    this.#setLabel("number", text);
    this.#value = value;
  }

  #finish({ receivedAt }: RequestContext): Outcome {
    const head = this.#head;
    const key = this.#key;
    const event = this.#event;
    const time = head.timed ? head.time : receivedAt;
    hashKey(head.idBytes, head.idFrom, head.idTo, head.row, this.#seed, key);
    const labelBytes = Buffer.from(this.#label);
    const typeNumber = TYPES.indexOf(this.#labelType ?? "text");
    this.#hashEvent(labelBytes, typeNumber);
    const outcome = head.timed
      ? this.#indexes.timed.add(event.a, event.b, event.c)
      : this.#indexes.untimed.put(key.a, key.b, key.c, [event.a, event.b]);
    if (outcome === "known" || outcome === "same") return "duplicate";
    const row = this.rows;
    this.#recordId.append(row, head.idBytes, head.idFrom, head.idTo);
    this.#row.append32(row, head.row);
    this.#labelText.append(row, labelBytes, 0, labelBytes.length);
    if (this.#labelType === "number") this.#number.append(row, this.#value);
    const typeBytes = this.#typeBytes[typeNumber] as Buffer; // one of TYPES
    this.#type.append(row, typeBytes, 0, typeBytes.length);
    appendInstant(this.#time, row, time);
    appendInstant(this.#receivedAt, row, receivedAt);
    this.#timed.append(row, head.timed ? 1 : 0);
    this.#keyHigh.append64(row, key.a, key.b);
    this.#keyLow.append32(row, key.c);
    this.#eventHigh.append64(row, event.a, event.b);
    this.#eventLow.append32(row, event.c);
    this.rows = row + 1;
    return "stored";
  }

  /** Hash of the label, its type and its time if it has one, seeded with the hash of its (id, row). */
  #hashEvent(label: Uint8Array, typeNumber: number): void {
    const { timed, time } = this.#head;
    const length = 13 + label.length;
    if (this.#scratch.length < length) this.#scratch = Buffer.alloc(length * 2);
    const scratch = this.#scratch;
    scratch[0] = typeNumber + (timed ? 16 : 0);
    scratch.writeDoubleLE(timed ? time.seconds : 0, 1);
    scratch.writeUInt32LE(timed ? time.micros : 0, 9);
    scratch.set(label, 13);
    const { a, b, c, d } = this.#key;
    hashKey(scratch, 0, length, 0, [a, b, c, d], this.#event);
  }

  #token(): string {
    const { bytes, from, to } = this.#cursor;
    return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString();
  }
}
