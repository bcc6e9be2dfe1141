import type { FeatureValue } from "../protocols/exchange.ts";
import { parseJson } from "../protocols/json.ts";
import { scoringRecord } from "../schema/record.ts";
import type { Frame, FrameColumn } from "../store/frame.ts";
import type { ModelColumn } from "../store/models.ts";
import { isFailed, keyRow } from "./attempt.ts";
import type { CollectRules } from "./collect-settings.ts";
import type { TextColumn } from "./column-builder.ts";
import { CoreColumns } from "./core-columns.ts";
import { type Feature, FeatureColumns, type FeatureType, storedTypeOf } from "./feature-columns.ts";
import { CLOSE_BRACE, COMMA, JsonCursor, MINUS, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./json-cursor.ts";
import { DEEPEST_NESTING, jsonOf, wellFormedText } from "./json-text.ts";
import { type HashSeed, hashKey, type KeyHash } from "./key-hash.ts";
import type { KeyIndex } from "./key-index.ts";
import { KeyTable } from "./key-table.ts";
import { Overflow } from "./overflow.ts";
import { isName, RECORD_FIELDS, RecordField, type RecordFieldName } from "./record-fields.ts";
import { RecordHead, readWeight, readWhole } from "./record-head.ts";
import { issuesOf, pathText, type RecordIssue } from "./record-issues.ts";
import { appendInstant, type Bounds, type Outcome, type RequestContext, type Rows } from "./rows.ts";
import { redactValue } from "./sidecar/redact.ts";
import { isSampledBytes } from "./sidecar/sampling.ts";

/**
 * Gathers the records of one model, column by column.
 *
 * `scan` reads a record straight from the bytes of the request and is what nearly every record takes. Whatever it
 * does not know at sight it calls `unusual`, and `parse`, slower and by `JSON.parse` and the schema, decides.
 */
export class RecordRows implements Rows {
  rows = 0;
  /** Values that did not fit their column, since this was last read. */
  mismatches = 0;
  readonly #model: string;
  readonly #seed: HashSeed;
  readonly #index: KeyIndex;
  readonly #features: FeatureColumns;
  readonly #mostColumns: number;
  readonly #rules: CollectRules;
  /** Share of the records that is kept. */
  readonly #share: number;
  readonly #cursor = new JsonCursor();
  readonly #fields: KeyTable<RecordField>;
  readonly #head = new RecordHead();
  readonly #hash: KeyHash = { a: 0, b: 0, c: 0, d: 0 };
  #stamp = 0;

  readonly #core = new CoreColumns();

  /** Of the record at hand. */
  readonly #spill = new Overflow();
  #statusCode = 0;
  #weight = 1;

  constructor(options: {
    readonly model: string;
    readonly seed: HashSeed;
    readonly index: KeyIndex;
    readonly columns: readonly ModelColumn[];
    readonly mostColumns: number;
    readonly rules: CollectRules;
  }) {
    this.#model = options.model;
    this.#rules = options.rules;
    this.#share = options.rules.share;
    this.#seed = options.seed;
    this.#index = options.index;
    this.#mostColumns = options.mostColumns;
    this.#features = new FeatureColumns(options.columns, options.mostColumns, options.rules);
    const fields = new Map<string, RecordField>(RECORD_FIELDS.map((name) => [name, new RecordField(name)]));
    this.#fields = new KeyTable((name) => fields.get(name));
  }

  /** Takes the record at `[from, to)` of `bytes`, which must be valid UTF-8. */
  scan(bytes: Uint8Array, bounds: Bounds, context: RequestContext, index: number): Outcome | "unusual" {
    this.#cursor.open(bytes, bounds.from, bounds.to);
    this.#begin();
    if (this.#scanRecord() && this.#cursor.peek() === -1) return this.#finish(context, index);
    this.#undo();
    return "unusual";
  }

  /** Takes a record given as the value that `JSON.parse` made of it. @returns what is wrong with it, if anything. */
  parse(value: unknown, context: RequestContext, index: number): Outcome | readonly RecordIssue[] {
    const parsed = scoringRecord.safeParse(value);
    if (!parsed.success) return issuesOf(parsed.error);
    const record = parsed.data;
    this.#begin();
    const head = this.#head;
    if (record.id !== undefined) {
      const id = String(record.id);
      if (wellFormedText(id) !== id) return [{ path: "id", message: "holds half a surrogate pair" }];
      head.setId(id);
    }
    head.row = record.row;
    if (record.time !== undefined) head.setTime(record.time);
    for (const direction of ["in", "out"] as const) {
      // Read from the value itself: zod leaves out a key called __proto__.
      const features = (value as Record<string, unknown>)[direction === "in" ? "inputs" : "outputs"] ?? {};
      for (const [name, item] of Object.entries(features)) {
        const issue = this.#parseFeature(direction, name, item);
        if (!issue) continue;
        this.#undo();
        return [issue];
      }
    }
    if (record.version !== undefined) this.#appendText(this.#core.version, record.version);
    if (record.deployment !== undefined) this.#appendText(this.#core.deployment, record.deployment);
    if (record.status !== undefined) this.#appendStatus(record.status);
    if (record.weight !== undefined) this.#weight = record.weight;
    if (record.latency_ms !== undefined) this.#core.latency_ms.append(this.rows, record.latency_ms);
    return this.#finish(context, index);
  }

  /**
   * The columns that features are kept in when all their values are of one type, as in a table; undefined when one is kept
   * as another type, or there is no room for all of them. Nothing is different then.
   */
  adopt(features: readonly FeatureType[]): readonly string[] | undefined {
    // Each record has to be looked at: whether it is in the sample, and what must not be kept of it.
    if (this.#share < 1 || this.#rules.redactions.size > 0) return undefined;
    return this.#features.adopt(features);
  }

  /** Makes room for so many further keys at once, instead of little by little. */
  expect(keys: number): void {
    this.#index.expect(keys);
  }

  /** Notes the key of a record that is stored by other means; `key` is set to it. `row` is as `keyRow` has it. */
  note(id: Uint8Array, bounds: Bounds, row: number, key: KeyHash): Outcome {
    hashKey(id, bounds.from, bounds.to, row, this.#seed, key);
    return this.#index.add(key.a, key.b, key.c) === "known" ? "duplicate" : "stored";
  }

  /** The rows gathered so far, and starts anew. The frame holds until the next record. */
  finish(): Frame {
    const rows = this.rows;
    const columns: FrameColumn[] = [];
    for (const [name, column] of Object.entries(this.#core)) {
      if (column.count > 0) columns.push(column.finish(name, rows));
    }
    for (const feature of this.#features.all) {
      const column = feature.finish(rows);
      if (column) columns.push(column);
    }
    return { kind: "records", model: this.#model, rows, columns };
  }

  reset(): void {
    this.rows = 0;
    for (const column of Object.values(this.#core)) column.reset();
    for (const feature of this.#features.all) feature.reset();
  }

  #begin(): void {
    this.#stamp++;
    this.#head.reset();
    this.#spill.reset();
    this.#statusCode = 0;
    this.#weight = 1;
  }

  #undo(): void {
    const row = this.rows;
    this.#features.undo(row);
    this.#core.version.undo(row);
    this.#core.deployment.undo(row);
    this.#core.status.undo(row);
    this.#core.latency_ms.undo(row);
  }

  /** Appends what every row has, unless the record is known already. */
  #finish({ receivedAt, idFor }: RequestContext, index: number): Outcome {
    const head = this.#head;
    if (head.idTo === 0) head.setId(idFor(index));
    const { idBytes, idFrom, idTo } = head;
    if (this.#share < 1 && !isFailed(this.#statusCode)) {
      if (!isSampledBytes(idBytes, idFrom, idTo, this.#share)) {
        this.#undo();
        return "sampled-out";
      }
      // The sender may have sampled by the same hash: what is in the smaller sample is in the larger one too.
      this.#weight = Math.max(this.#weight, 1 / this.#share);
    }
    const hash = this.#hash;
    hashKey(idBytes, idFrom, idTo, keyRow(head.row, this.#statusCode), this.#seed, hash);
    if (this.#index.add(hash.a, hash.b, hash.c) === "known") {
      this.#undo();
      return "duplicate";
    }
    const row = this.rows;
    this.#core.record_id.append(row, idBytes, idFrom, idTo);
    this.#core.row.append32(row, head.row);
    appendInstant(this.#core.time, row, head.timed ? head.time : receivedAt);
    appendInstant(this.#core.received_at, row, receivedAt);
    this.#core.key_high.append64(row, hash.a, hash.b);
    this.#core.key_low.append32(row, hash.c);
    if (this.#weight !== 1) this.#core.weight.append(row, this.#weight);
    if (!this.#spill.empty) {
      this.mismatches += this.#spill.misfits;
      this.#appendText(this.#core.overflow, this.#spill.json());
    }
    this.#features.keep();
    this.rows = row + 1;
    return "stored";
  }

  #scanRecord(): boolean {
    const cursor = this.#cursor;
    if (!cursor.take(OPEN_BRACE) || cursor.peek() !== QUOTE) return false;
    let field: RecordField | undefined;
    let inputs: "missing" | "there" = "missing";
    for (;;) {
      field = this.#fields.take(cursor, field, this.#stamp);
      if (field === undefined || !this.#scanField(field.name)) return false;
      if (field.name === "inputs") inputs = "there";
      const byte = cursor.peek();
      cursor.at++;
      if (byte === CLOSE_BRACE) return inputs === "there";
      if (byte !== COMMA || cursor.peek() !== QUOTE) return false;
    }
  }

  #scanField(name: RecordFieldName): boolean {
    const cursor = this.#cursor;
    switch (name) {
      case "inputs":
        return this.#scanFeatures(this.#features.inputs);
      case "outputs":
        return this.#scanFeatures(this.#features.outputs);
      case "id":
        return this.#head.readId(cursor);
      case "row":
        return this.#head.readRow(cursor);
      case "time":
        return this.#head.readTime(cursor);
      case "version":
        return this.#scanName(this.#core.version);
      case "deployment":
        return this.#scanName(this.#core.deployment);
      case "status": {
        const status = readWhole(cursor, 999);
        if (status >= 0) this.#appendStatus(status);
        return status >= 0;
      }
      case "latency_ms": {
        if (cursor.peek() === MINUS || !cursor.number()) return false;
        this.#core.latency_ms.append(this.rows, cursor.value);
        return true;
      }
      case "weight": {
        const weight = readWeight(cursor);
        if (weight > 0) this.#weight = weight;
        return weight > 0;
      }
    }
  }

  #appendStatus(status: number): void {
    this.#core.status.append32(this.rows, status);
    this.#statusCode = status;
  }

  #scanName(column: TextColumn): boolean {
    const cursor = this.#cursor;
    cursor.peek();
    if (!cursor.string()) return false;
    const { bytes, from, to } = cursor;
    if (!isName(bytes, from, to)) return false;
    column.append(this.rows, bytes, from, to);
    return true;
  }

  #scanFeatures(table: KeyTable<Feature>): boolean {
    const cursor = this.#cursor;
    if (!cursor.take(OPEN_BRACE)) return false;
    if (cursor.take(CLOSE_BRACE)) return true;
    let feature: Feature | undefined;
    for (;;) {
      if (cursor.peek() !== QUOTE) return false;
      feature = table.take(cursor, feature, this.#stamp);
      if (feature === undefined || !this.#scanValue(feature)) return false;
      const byte = cursor.peek();
      cursor.at++;
      if (byte === CLOSE_BRACE) return true;
      if (byte !== COMMA) return false;
    }
  }

  #scanValue(feature: Feature): boolean {
    if (feature.redaction !== undefined) return this.#scanRedacted(feature);
    const cursor = this.#cursor;
    const byte = cursor.peek();
    if (byte === QUOTE) return cursor.string() && this.#scannedText(feature);
    if (byte === 0x74 || byte === 0x66) {
      if (!cursor.literal(byte === 0x74 ? "true" : "false")) return false;
      if (feature.type === undefined) this.#features.declare(feature, "BOOLEAN");
      if (feature.booleans) feature.booleans.append(this.rows, byte === 0x74 ? 1 : 0);
      else this.#spill.addMisfit(feature.column, this.#token());
      return true;
    }
    if (byte === 0x6e) return cursor.literal("null");
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) return this.#scanNested(feature);
    if (!cursor.number()) return false;
    if (feature.type === undefined) this.#features.declare(feature, "DOUBLE");
    if (feature.numbers === undefined) {
      this.#spill.addMisfit(feature.column, this.#token());
      return true;
    }
    feature.numbers.append(this.rows, cursor.value);
    if (cursor.wholeDigits > 15 && !Number.isSafeInteger(cursor.value))
      this.#spill.addExact(feature.column, this.#token());
    return true;
  }

  #scannedText(feature: Feature): boolean {
    const cursor = this.#cursor;
    const { bytes, from, to } = cursor;
    if (feature.type === undefined) this.#features.declare(feature, "VARCHAR");
    if (feature.type !== "VARCHAR" || feature.texts === undefined) {
      const json = `"${this.#token()}"`;
      this.#spill.addMisfit(feature.column, cursor.escaped ? (jsonOf(JSON.parse(json)) ?? json) : json);
    } else if (cursor.escaped) {
      this.#appendText(feature.texts, JSON.parse(`"${this.#token()}"`) as string);
    } else feature.texts.append(this.rows, bytes, from, to);
    return true;
  }

  #scanNested(feature: Feature): boolean {
    const cursor = this.#cursor;
    cursor.unicodeEscapes = false;
    if (!cursor.skip() || cursor.unicodeEscapes) return false;
    const { bytes, from, to } = cursor;
    if (feature.type === undefined) this.#features.declare(feature, "JSON");
    if (feature.type === "JSON" && feature.texts) feature.texts.append(this.rows, bytes, from, to);
    else this.#spill.addMisfit(feature.column, this.#token());
    return true;
  }

  /** The value itself is kept nowhere. */
  #scanRedacted(feature: Feature): boolean {
    const cursor = this.#cursor;
    cursor.peek();
    const from = cursor.at;
    if (!cursor.skip()) return false;
    this.#redact(feature, parseJson(cursor.bytes.subarray(from, cursor.at), DEEPEST_NESTING));
    return true;
  }

  #redact(feature: Feature, value: FeatureValue): void {
    if (feature.redaction === undefined) throw new RangeError(`"${feature.name}" is not to be redacted`);
    const text = redactValue(value, feature.redaction, this.#rules.redactKey);
    if (text === undefined || text === null) return;
    if (feature.type === undefined) this.#features.declare(feature, "VARCHAR");
    if (feature.type === "VARCHAR" && feature.texts) this.#appendText(feature.texts, text);
    else this.#spill.addMisfit(feature.column, JSON.stringify(text));
  }

  #parseFeature(direction: "in" | "out", name: string, value: unknown): RecordIssue | undefined {
    const path = pathText([direction === "in" ? "inputs" : "outputs", name]);
    const feature = this.#features.find(direction, wellFormedText(name));
    if (!feature) {
      return {
        path,
        message: `is new, and model "${this.#model}" has ${this.#mostColumns} features and outputs, the most there may be`,
      };
    }
    if (value === null) return undefined;
    const type = storedTypeOf(value);
    const json = jsonOf(value);
    if (json === undefined) return { path, message: `is nested deeper than ${DEEPEST_NESTING} levels` };
    if (feature.redaction !== undefined) {
      this.#redact(feature, value as FeatureValue); // what JSON.parse makes is all in it
      return undefined;
    }
    if (feature.type === undefined) this.#features.declare(feature, type);
    if (feature.type !== type) this.#spill.addMisfit(feature.column, json);
    else if (typeof value === "number") feature.numbers?.append(this.rows, value);
    else if (typeof value === "boolean") feature.booleans?.append(this.rows, value ? 1 : 0);
    else if (feature.texts) this.#appendText(feature.texts, typeof value === "string" ? value : json);
    return undefined;
  }

  #appendText(column: TextColumn, text: string): void {
    const bytes = Buffer.from(text);
    column.append(this.rows, bytes, 0, bytes.length);
  }

  /** The token read last. */
  #token(): string {
    const { bytes, from, to } = this.#cursor;
    return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString();
  }
}
