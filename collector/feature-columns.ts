import { featureName } from "../schema/names.ts";
import type { FrameColumn } from "../store/frame.ts";
import { freeName, type ModelColumn, type StoredType } from "../store/models.ts";
import type { CollectRules } from "./collect-settings.ts";
import { BooleanColumn, NumberColumn, TextColumn } from "./column-builder.ts";
import { GONE, type Key, KeyTable, type WrittenKey, writtenKey } from "./key-table.ts";
import type { Redaction } from "./sidecar/redact.ts";

/** A feature or output, and how its values are kept. */
export type FeatureType = Pick<ModelColumn, "direction" | "name" | "type">;

/** A feature or output of a model and the values gathered for it. It has a type from its first value on, or before that where one is set. */
export class Feature implements Key<Feature> {
  readonly written: WrittenKey;
  readonly direction: "in" | "out";
  readonly name: string;
  readonly column: string;
  /** What is done to its values before anything is written. */
  readonly redaction: Redaction | undefined;
  stamp = -1;
  next: Feature | undefined;
  type: StoredType | undefined;
  #described:
    | { readonly direction: "in" | "out"; readonly name: string; readonly type: StoredType }
    | undefined;
  /** Exactly one of these once there is a type; JSON is text. */
  numbers: NumberColumn | undefined;
  texts: TextColumn | undefined;
  booleans: BooleanColumn | undefined;

  constructor(direction: "in" | "out", name: string, column: string, redaction: Redaction | undefined) {
    this.redaction = redaction;
    this.written = writtenKey(name);
    this.direction = direction;
    this.name = name;
    this.column = column;
  }

  declare(type: StoredType): void {
    this.type = type;
    if (type === "DOUBLE") this.numbers = new NumberColumn();
    else if (type === "BOOLEAN") this.booleans = new BooleanColumn();
    else this.texts = new TextColumn(type === "JSON" ? "json" : "text");
  }

  undeclare(): void {
    this.type = undefined;
    this.numbers = undefined;
    this.texts = undefined;
    this.booleans = undefined;
  }

  undo(row: number): void {
    this.numbers?.undo(row);
    this.texts?.undo(row);
    this.booleans?.undo(row);
  }

  /** The column over `rows` rows; undefined when no row has a value. */
  finish(rows: number): FrameColumn | undefined {
    const values = this.numbers ?? this.texts ?? this.booleans;
    if (!values || values.count === 0 || !this.type) return undefined;
    const { direction, name, type } = this;
    if (this.#described?.type !== type) this.#described = { direction, name, type };
    return values.finish(this.column, rows, this.#described);
  }

  reset(): void {
    this.numbers?.reset();
    this.texts?.reset();
    this.booleans?.reset();
  }
}

/** All features and outputs of a model, known from earlier records or met for the first time. */
export class FeatureColumns {
  readonly inputs: KeyTable<Feature>;
  readonly outputs: KeyTable<Feature>;
  readonly all: Feature[] = [];
  readonly #byName = { in: new Map<string, Feature>(), out: new Map<string, Feature>() };
  readonly #columnNames = new Set<string>();
  readonly #most: number;
  readonly #rules: Pick<CollectRules, "redactions" | "types">;
  /** What the record at hand has brought, to be undone with it. */
  #met = 0;
  #declared: Feature[] = [];

  constructor(
    known: readonly ModelColumn[],
    most: number,
    rules: Pick<CollectRules, "redactions" | "types">,
  ) {
    this.#most = most;
    this.#rules = rules;
    this.inputs = new KeyTable((name) => this.find("in", name));
    this.outputs = new KeyTable((name) => this.find("out", name));
    for (const { direction, name, column, type } of known) this.#add(direction, name, column).declare(type);
    this.keep();
  }

  /** The feature of this name; a new one if the name is allowed and there is room, otherwise undefined. */
  find(direction: "in" | "out", name: string): Feature | undefined {
    const known = this.#byName[direction].get(name);
    if (known) return known;
    if (this.all.length >= this.#most || !featureName.safeParse(name).success) return undefined;
    const feature = this.#add(direction, name, freeName(`${direction}_${name}`, this.#columnNames));
    this.#met++;
    const type = this.#rules.types.get(name);
    if (type) this.declare(feature, type);
    return feature;
  }

  /** Gives a feature its type: the one that is set, or that of its first value. */
  declare(feature: Feature, type: StoredType): void {
    feature.declare(type);
    this.#declared.push(feature);
  }

  /** The columns of these features, all of which have the types given from now on; undefined, with nothing done, when that cannot be. */
  adopt(wanted: readonly FeatureType[]): readonly string[] | undefined {
    const fits = wanted.every(({ direction, name, type }) => {
      const known = this.#byName[direction].get(name);
      const kept = known ? known.type : this.#rules.types.get(name);
      return (known || featureName.safeParse(name).success) && (kept === undefined || kept === type);
    });
    const fresh = wanted.filter(({ direction, name }) => !this.#byName[direction].has(name));
    if (!fits || this.all.length + fresh.length > this.#most) return undefined;
    const columns = wanted.flatMap(({ direction, name, type }) => {
      const feature = this.find(direction, name);
      if (feature && feature.type === undefined) this.declare(feature, type);
      return feature ? [feature.column] : [];
    });
    this.keep();
    return columns;
  }

  /** The record at hand stays. */
  keep(): void {
    this.#met = 0;
    if (this.#declared.length > 0) this.#declared = [];
  }

  /** The record at hand goes, and with it the names and types it was the first to bring. */
  undo(row: number): void {
    for (const feature of this.all) feature.undo(row);
    for (const feature of this.#declared) feature.undeclare();
    for (; this.#met > 0; this.#met--) {
      const feature = this.all.pop();
      if (!feature) break;
      this.#byName[feature.direction].delete(feature.name);
      this.#columnNames.delete(feature.column.toLowerCase());
      feature.stamp = GONE;
    }
    this.#declared = [];
  }

  #add(direction: "in" | "out", name: string, column: string): Feature {
    const feature = new Feature(direction, name, column, this.#rules.redactions.get(name));
    this.all.push(feature);
    this.#byName[direction].set(name, feature);
    this.#columnNames.add(column.toLowerCase());
    return feature;
  }
}

/** The type that a column gets whose first value this is. */
export function storedTypeOf(value: unknown): StoredType {
  if (typeof value === "number") return "DOUBLE";
  if (typeof value === "string") return "VARCHAR";
  return typeof value === "boolean" ? "BOOLEAN" : "JSON";
}
