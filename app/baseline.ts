import type { CollectSettings } from "../collector/collect-settings.ts";
import type { BaselineColumn, ColumnRole } from "../drift/baseline-column.ts";
import type { BlockSeries } from "../drift/calibration-windows.ts";
import type { ColumnType } from "../schema/drift-result.ts";
import { ServiceError } from "../schema/errors.ts";
import { BaselineStore, type StoredBaseline } from "../store/baselines.ts";
import type { Database } from "../store/database.ts";
import { openDataset } from "../store/dataset.ts";
import { BLOCK_MS, seriesOf, timeColumnOf } from "./build-baseline.ts";
import { type DescribedColumn, describeAsItIs, describeRedacted, redactionsOf } from "./redact-baseline.ts";

/** A baseline as the monitor uses it. */
export interface Baseline {
  readonly id: string;
  readonly model: string;
  readonly version: string;
  readonly created_at: string;
  readonly dataset_hash: string;
  readonly rows: number;
  readonly time_column: string | null;
  readonly time_range: { readonly from: string; readonly to: string } | null;
  readonly columns: readonly BaselineColumn[];
}

/** What the caller says of the file. */
export interface BaselineRequest {
  readonly model: string;
  readonly version: string;
  readonly path: string;
  readonly timeColumn?: string | undefined;
  readonly label?: string | undefined;
  readonly predictions?: readonly string[] | undefined;
  readonly types?: Readonly<Record<string, ColumnType>> | undefined;
  /** Columns that are no features, such as an id. */
  readonly ignore?: readonly string[] | undefined;
  /** `as-stored`: they come from collected records, and what is to be redacted has been. */
  readonly values?: "plain" | "as-stored";
}

const MOST_KEPT = 32;

/** Baselines of the service: made once from the training data, immutable, kept in memory while in use. */
export class Baselines {
  readonly #store: BaselineStore;
  readonly #database: Database;
  readonly #kept = new Map<string, Baseline>();
  readonly #series = new Map<string, Map<string, BlockSeries>>();

  readonly #collect: CollectSettings;

  constructor(database: Database, collect: CollectSettings = { models: {} }) {
    this.#database = database;
    this.#collect = collect;
    this.#store = new BaselineStore(database);
  }

  /** Reads the file whole, column by column, and stores what describes it. */
  async create(
    request: BaselineRequest,
    made: { readonly id: string; readonly now: Date },
  ): Promise<Baseline> {
    const dataset = await openDataset(request.path, request.types ? { types: request.types } : {});
    try {
      if (dataset.rows === 0)
        throw new ServiceError("invalid-input", "the file has no rows: a baseline needs some");
      const time = timeColumnOf(dataset, request.timeColumn);
      const roles = rolesOf(
        dataset.columns.map(({ name }) => name),
        request,
        time?.name,
      );
      const redactions =
        request.values === "as-stored" ? undefined : redactionsOf(this.#collect, request.model);
      const described: DescribedColumn[] = [];
      for (const column of dataset.columns) {
        const role = roles.get(column.name);
        if (!role) continue;
        const redaction = role === "label" ? undefined : redactions?.get(column.name);
        const key = this.#collect.redactKey ?? "";
        const found = redaction
          ? await describeRedacted(dataset, column, { role, redaction, key })
          : await describeAsItIs(dataset, column, role);
        if (found) described.push(found);
      }
      const columns = described.map(({ column }) => column);
      const range = time ? await dataset.timeRange(time.name) : undefined;
      const blocks = time
        ? await dataset.blockCounts(
            time.name,
            "hour",
            described.flatMap(({ blocks: spec }) => spec ?? []),
          )
        : [];
      const stored: StoredBaseline = {
        id: made.id,
        model: request.model,
        version: request.version,
        created_at: made.now.toISOString(),
        dataset_hash: await dataset.sha256(),
        rows: dataset.rows,
        document: {
          time_column: time?.name ?? null,
          time_range: range ? { from: range.from.toISOString(), to: range.to.toISOString() } : null,
          columns,
        },
      };
      await this.#database.transaction((tx) =>
        this.#store.add(
          tx,
          stored,
          blocks.flatMap(({ start, columns: counted }) =>
            Object.entries(counted).map(([column, { missing, counts }]) => ({
              column,
              hour: start,
              missing,
              counts,
            })),
          ),
        ),
      );
      return parse(stored);
    } finally {
      await dataset.close();
    }
  }

  /** @throws ServiceError `not-found` when there is none of this version, or none at all. */
  async get(model: string, version?: string): Promise<Baseline> {
    const id = await this.#store.idOf(model, version);
    const kept = this.#kept.get(id) ?? parse(await this.#store.byId(id));
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    this.#kept.set(id, kept); // the same object each time: what is derived from a baseline is kept with it
    return kept;
  }

  /** The baseline over its own time in blocks that suit a window of this length. */
  async series(
    baseline: Baseline,
    windowMs: number,
  ): Promise<{ readonly series: Map<string, BlockSeries>; readonly windowBlocks: number }> {
    const unit = windowMs >= BLOCK_MS.day ? "day" : "hour";
    const key = `${baseline.id} ${unit}`;
    let series = this.#series.get(key);
    if (!series) {
      series = await this.#readSeries(baseline, unit);
      if (this.#series.size >= MOST_KEPT) this.#series.clear();
      this.#series.set(key, series);
    }
    return { series, windowBlocks: windowMs / BLOCK_MS[unit] };
  }

  async #readSeries(baseline: Baseline, unit: "hour" | "day"): Promise<Map<string, BlockSeries>> {
    if (baseline.time_range === null) return new Map();
    const names = baseline.columns.map(({ name }) => name);
    const blocks = await this.#store.blocks(baseline.id, unit, names);
    return seriesOf(
      unit,
      blocks.map(({ hour, ...block }) => ({ ...block, start: hour })),
      { from: new Date(baseline.time_range.from), to: new Date(baseline.time_range.to) },
    );
  }
}

function rolesOf(
  names: readonly string[],
  request: BaselineRequest,
  time: string | undefined,
): Map<string, ColumnRole> {
  const predictions = request.predictions ?? [];
  const ignored = request.ignore ?? [];
  for (const named of [
    ...predictions,
    ...ignored,
    ...Object.keys(request.types ?? {}),
    ...(request.label === undefined ? [] : [request.label]),
  ]) {
    if (!names.includes(named))
      throw new ServiceError(
        "invalid-input",
        `the file has no column "${named}": it has ${names.join(", ")}`,
      );
  }
  return new Map(
    names
      .filter((name) => name !== time && !ignored.includes(name))
      .map((name) => [
        name,
        name === request.label ? "label" : predictions.includes(name) ? "prediction" : "input",
      ]),
  );
}

function parse({ document, ...about }: StoredBaseline): Baseline {
  return { ...about, ...(document as Pick<Baseline, "time_column" | "time_range" | "columns">) }; // written by create()
}
