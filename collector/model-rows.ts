import { ServiceError } from "../schema/errors.ts";
import type { Database } from "../store/database.ts";
import type { Frame } from "../store/frame.ts";
import { type CollectedModel, type ModelColumn, readColumns, readModels } from "../store/models.ts";
import { countRows, visitLabelKeys, visitRecordKeys } from "../store/record-keys.ts";
import type { DeletedPiece } from "../store/retention.ts";
import { type CollectSettings, collectRules } from "./collect-settings.ts";
import type { HashSeed } from "./key-hash.ts";
import { KeyIndex } from "./key-index.ts";
import { type LabelIndexes, LabelRows } from "./label-rows.ts";
import { RecordRows } from "./record-rows.ts";

/** The rows of a model that a request works on; `done` when it is answered. */
export interface RowsInUse {
  readonly records: RecordRows;
  readonly labels: LabelRows;
  done(): void;
}

interface ModelState {
  /** Requests at work on it. */
  users: number;
  /** `stored`: it has tables, also when retention has emptied them, and so columns that are to be known. */
  origin: "new" | "stored";
  readonly records: RecordRows;
  readonly labels: LabelRows;
  readonly recordIndex: KeyIndex;
  readonly labelIndexes: LabelIndexes;
}

/** The rows being gathered for every model, and the keys of all rows that are stored. */
export class ModelRows {
  readonly #models = new Map<string, ModelState>();
  readonly #seed: HashSeed;
  readonly #limits: { readonly columnsPerModel: number; readonly models: number };
  readonly #collect: CollectSettings | undefined;

  private constructor(
    seed: HashSeed,
    limits: { readonly columnsPerModel: number; readonly models: number },
    collect: CollectSettings | undefined,
  ) {
    this.#seed = seed;
    this.#limits = limits;
    this.#collect = collect;
  }

  /** Reads the keys of everything in the tables. */
  static async open(
    database: Database,
    seed: HashSeed,
    limits: { readonly columnsPerModel: number; readonly models: number },
    collect?: CollectSettings,
  ): Promise<ModelRows> {
    for (const model of Object.keys(collect?.models ?? {})) collectRules(collect, model); // told at the start
    const rows = new ModelRows(seed, limits, collect);
    const columns = await readColumns(database);
    for (const model of await readModels(database)) {
      const own = columns.filter((column) => column.model === model.model);
      rows.#add(
        model.model,
        own,
        await recordIndexOf(database, model),
        await labelIndexesOf(database, model),
      ).origin = "stored";
    }
    return rows;
  }

  /** @throws ServiceError `invalid-input` when the model is new and there are as many as there may be. */
  use(model: string): RowsInUse {
    const state = this.#stateOf(model);
    state.users++;
    const done = () => {
      state.users--;
      // Nothing is kept of a model that only bad records were sent for.
      const { recordIndex, labelIndexes } = state;
      const keys = recordIndex.size + labelIndexes.timed.size + labelIndexes.untimed.size;
      if (state.users === 0 && keys === 0 && state.origin === "new") this.#models.delete(model);
    };
    return { records: state.records, labels: state.labels, done };
  }

  /** Takes the keys of rows out again that could not be made durable. */
  forget({ kind, model, rows, columns }: Frame): void {
    const state = this.#models.get(model);
    if (!state) return;
    const words = (name: string) => {
      const data = columns.find(({ column }) => column === name)?.data ?? new Uint8Array();
      return new Uint32Array(new Uint8Array(data).buffer); // a copy, as `slice` of a Buffer is not, and so on a word boundary
    };
    const [high, low, eventHigh, eventLow] = ["key_high", "key_low", "event_high", "event_low"].map(words);
    for (let row = 0; row < rows; row++) {
      forgetKey(kind === "records" ? state.recordIndex : state.labelIndexes.untimed, high, low, row);
      if (kind === "labels") forgetKey(state.labelIndexes.timed, eventHigh, eventLow, row);
    }
  }

  /** Takes the keys of rows out that retention has deleted: what is not there any more can come again. */
  forgetDeleted(model: string, { records, labels }: DeletedPiece): void {
    const state = this.#models.get(model);
    if (!state) return;
    state.origin = "stored";
    for (const { rows, high, low } of records) {
      for (let row = 0; row < rows; row++) removeKey(state.recordIndex, high, low, row);
    }
    for (const { rows, key, event, timed } of labels) {
      for (let row = 0; row < rows; row++) {
        if (timed(row)) removeKey(state.labelIndexes.timed, event.high, event.low, row);
        else removeKey(state.labelIndexes.untimed, key.high, key.low, row);
      }
    }
  }

  #stateOf(model: string): ModelState {
    const known = this.#models.get(model);
    if (known) return known;
    if (this.#models.size >= this.#limits.models) {
      throw new ServiceError(
        "invalid-input",
        `model "${model}" is new, and records of ${this.#limits.models} models are collected, the most there may be`,
      );
    }
    return this.#add(model, [], new KeyIndex(), {
      timed: new KeyIndex(),
      untimed: new KeyIndex({ valueWords: 2 }),
    });
  }

  #add(
    model: string,
    columns: readonly ModelColumn[],
    recordIndex: KeyIndex,
    labelIndexes: LabelIndexes,
  ): ModelState {
    const seed = this.#seed;
    const mostColumns = this.#limits.columnsPerModel;
    const state: ModelState = {
      users: 0,
      origin: "new",
      records: new RecordRows({
        model,
        seed,
        index: recordIndex,
        columns,
        mostColumns,
        rules: collectRules(this.#collect, model),
      }),
      labels: new LabelRows({ model, seed, indexes: labelIndexes }),
      recordIndex,
      labelIndexes,
    };
    this.#models.set(model, state);
    return state;
  }
}

function forgetKey(
  index: KeyIndex,
  high: Uint32Array | undefined,
  low: Uint32Array | undefined,
  row: number,
): void {
  if (high && low) removeKey(index, high, low, row);
}

function removeKey(index: KeyIndex, high: Uint32Array, low: Uint32Array | Int32Array, row: number): void {
  index.remove(high[row * 2 + 1] as number, high[row * 2] as number, low[row] as number);
}

async function recordIndexOf(database: Database, { recordsTable }: CollectedModel): Promise<KeyIndex> {
  const index = new KeyIndex({ expected: await countRows(database, recordsTable) });
  await visitRecordKeys(database, recordsTable, ({ rows, high, low }) => {
    for (let i = 0; i < rows; i++) {
      index.add(high[i * 2 + 1] as number, high[i * 2] as number, low[i] as number);
    }
  });
  return index;
}

async function labelIndexesOf(database: Database, { labelsTable }: CollectedModel): Promise<LabelIndexes> {
  const timedLabels = await countRows(database, labelsTable, "timed");
  const timed = new KeyIndex({ expected: timedLabels });
  const untimed = new KeyIndex({
    valueWords: 2,
    expected: (await countRows(database, labelsTable)) - timedLabels,
  });
  await visitLabelKeys(database, labelsTable, ({ rows, key, event, timed: isTimed }) => {
    for (let i = 0; i < rows; i++) {
      const first = event.high[i * 2 + 1] as number;
      const second = event.high[i * 2] as number;
      if (isTimed(i)) timed.add(first, second, event.low[i] as number);
      else {
        untimed.put(key.high[i * 2 + 1] as number, key.high[i * 2] as number, key.low[i] as number, [
          first,
          second,
        ]);
      }
    }
  });
  return { timed, untimed };
}
