import type { IngestAnswer } from "../../schema/record.ts";
import type { Database } from "../../store/database.ts";
import type { Frame } from "../../store/frame.ts";
import { EMPTY, type JsonColumn, type TableFile } from "../../store/table-file.ts";
import { visitIds } from "../../store/table-ids.ts";
import { inspectTable } from "../../store/table-inspect.ts";
import { type LoadedColumn, storedTypeOf } from "../../store/table-load.ts";
import { failedRow } from "../attempt.ts";
import type { Collector } from "../collector.ts";
import type { KeyHash } from "../key-hash.ts";
import type { TableInside } from "../table-inside.ts";
import type { TablePlan } from "./table-columns.ts";

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const FAILED = 0x66;
const LONGEST_ID = 512;
const LARGEST_ROW = 2_147_483_647;
const WHOLE = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT)$/;

/** A slice whose values have to go by way of JSON, where each is looked at. */
class Unfit extends Error {}

export interface SliceToStore {
  readonly model: string;
  readonly table: TableFile;
  readonly slice: { readonly from: number; readonly to: number };
  readonly plan: TablePlan;
  /** Goes before the position of a row without an id. */
  readonly key: string;
}

/**
 * Stores rows of a table as they lie: their keys are looked up here, all else the database does by itself, column by
 * column. As fast as it gets, and only for values that need no second look.
 *
 * @returns undefined, with nothing stored, when the rows have to go by way of JSON.
 */
export async function storeSlice(
  { collector, database }: { readonly collector: Pick<Collector, "storeTable">; readonly database: Database },
  sliced: SliceToStore,
): Promise<IngestAnswer | undefined> {
  const head = loadedHead(sliced.plan);
  if (!head) return undefined;
  try {
    return await collector.storeTable(sliced.model, (inside) => storeInside(database, sliced, head, inside));
  } catch (error) {
    if (error instanceof Unfit || isTooWide(error)) return undefined;
    throw error;
  }
}

/** DuckDB takes memory for each column of an insert, however few rows there are; by way of JSON there are fewer at a time. */
function isTooWide(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Out of Memory Error");
}

async function storeInside(
  database: Database,
  { model, table, slice, plan, key }: SliceToStore,
  head: readonly LoadedColumn[],
  { records, loader, before, forget }: TableInside,
): Promise<IngestAnswer> {
  const features = featuresOf([...typed("in", plan.inputs), ...typed("out", plan.outputs)], records);
  const columns = [...head, ...features];
  const place = { path: table.path, ...slice };
  const keys = new Keys(slice.to - slice.from);
  records.expect(keys.most);
  try {
    const inspecting = inspectTable(database, place, columns);
    const visited = await visitIds(database, {
      slice: place,
      id: plan.id?.name,
      row: head.find(({ column }) => column === "row")?.from.name,
      status: head.find(({ column }) => column === "status")?.from.name,
      key,
      visit: (ids) => keys.take(ids, records),
    }).finally(() => inspecting.catch(() => undefined));
    const inspected = await inspecting;
    await before.catch(() => {
      throw new Unfit(); // what was called known may not be
    });
    if (inspected.values === "unfit" || visited === "unfit" || keys.rows !== keys.most) throw new Unfit();
    const load = {
      model,
      slice: place,
      columns,
      keys: keys.frame(model),
      fresh: keys.fresh === keys.rows ? "all" : "some",
      withNaN: inspected.withNaN,
      id: plan.id?.name,
      key,
    } as const;
    if (keys.fresh > 0) await loader.loadTable(load);
  } catch (error) {
    forget(keys.freshFrame(model));
    throw error;
  }
  const stored = keys.fresh;
  return { received: keys.rows, stored, duplicates: keys.rows - stored, rejected: 0, errors: [] };
}

/** Columns of all but id and features; undefined when one of them is of a type that has to be looked at. */
function loadedHead({ head }: TablePlan): LoadedColumn[] | undefined {
  const fits = head.every(({ member, column: { type } }) => {
    if (member === "time") return /^(TIMESTAMP|DATE)/.test(type);
    if (member === "row" || member === "status") return WHOLE.test(type);
    return (
      (member !== "latency_ms" && member !== "weight") || /^(FLOAT|DOUBLE)$/.test(type) || WHOLE.test(type)
    );
  });
  return fits ? head.map(({ member, column }) => ({ column: member, from: column })) : undefined;
}

/** Columns that have a value, and what they would be kept as. @throws Unfit when one is of a type that has to be looked at. */
function typed(direction: "in" | "out", columns: readonly JsonColumn[]) {
  const filled = columns.filter(({ column: { type } }) => type !== EMPTY);
  return filled.map(({ member: name, column: from }) => {
    const type = storedTypeOf(from);
    if (!type) throw new Unfit();
    return { from, feature: { direction, name, type } };
  });
}

/** @throws Unfit when the model keeps one of them as another type, or has no room for all. */
function featuresOf(
  typed: readonly Required<Pick<LoadedColumn, "from" | "feature">>[],
  records: TableInside["records"],
): LoadedColumn[] {
  const adopted = records.adopt(typed.flatMap(({ feature }) => feature ?? []));
  if (!adopted) throw new Unfit();
  return typed.map((column, i) => ({ ...column, column: adopted[i] as string })); // one for each
}

/** The keys of the rows of a slice, and which of them are new. */
class Keys {
  readonly #high: Int32Array;
  readonly #low: Int32Array;
  readonly #fresh: Int32Array;
  readonly #place: Int32Array;
  readonly #hash: KeyHash = { a: 0, b: 0, c: 0, d: 0 };
  readonly most: number;
  rows = 0;
  fresh = 0;

  constructor(most: number) {
    this.most = most;
    this.#high = new Int32Array(most * 2);
    this.#low = new Int32Array(most);
    this.#fresh = new Int32Array(most);
    this.#place = Int32Array.from({ length: most }, (_, place) => place);
  }

  /** Takes lines of a row, with an `f` in front where the call failed, a space and an id. */
  take(lines: Uint8Array, records: TableInside["records"]): "on" | "unfit" {
    const hash = this.#hash;
    for (let at = 0; at < lines.length; ) {
      const failed = lines[at] === FAILED;
      if (failed) at++;
      let row = 0;
      for (; lines[at] !== SPACE; at++) {
        const digit = (lines[at] as number) - 0x30; // within bounds: there is a space in every line
        if (digit < 0 || digit > 9) return "unfit";
        row = row * 10 + digit;
      }
      const from = at + 1;
      const found = lines.indexOf(LINE_FEED, from);
      const to = found === -1 ? lines.length : found;
      if (to === from || to - from > LONGEST_ID || row > LARGEST_ROW) return "unfit";
      const place = this.rows++;
      if (records.note(lines, { from, to }, failed ? failedRow(row) : row, hash) === "stored") {
        this.#fresh[place] = 1;
        this.fresh++;
      }
      this.#high[place * 2 + 1] = hash.a;
      this.#high[place * 2] = hash.b;
      this.#low[place] = hash.c;
      at = to + 1;
    }
    return "on";
  }

  frame(model: string): Frame {
    return frameOf(model, this.rows, {
      key_high: this.#high,
      key_low: this.#low,
      fresh: this.#fresh,
      place: this.#place,
    });
  }

  /** Only the rows that were not known before. */
  freshFrame(model: string): Frame {
    const places = Array.from(this.#fresh.subarray(0, this.rows).keys()).filter(
      (at) => this.#fresh[at] === 1,
    );
    const high = new Int32Array(places.length * 2);
    places.forEach((place, i) => {
      high.set(this.#high.subarray(place * 2, place * 2 + 2), i * 2);
    });
    const low = Int32Array.from(places, (place) => this.#low[place] as number); // within bounds
    return frameOf(model, places.length, { key_high: high, key_low: low });
  }
}

function frameOf(model: string, rows: number, columns: Readonly<Record<string, Int32Array>>): Frame {
  return {
    kind: "records",
    model,
    rows,
    columns: Object.entries(columns).map(([column, words]) => {
      const layout = column === "key_high" ? "i64" : "i32";
      const bytes = rows * (layout === "i64" ? 8 : 4);
      return { column, layout, count: rows, data: new Uint8Array(words.buffer, 0, bytes) };
    }),
  };
}
