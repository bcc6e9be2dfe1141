import { listValue } from "@duckdb/node-api";
import { ServiceError } from "../schema/errors.ts";
import type { Database, Transaction } from "./database.ts";

/** A stored baseline; `document` is what `app/baseline.ts` made of the training data. */
export interface StoredBaseline {
  readonly id: string;
  readonly model: string;
  readonly version: string;
  readonly created_at: string;
  readonly dataset_hash: string;
  readonly rows: number;
  readonly document: unknown;
}

/** One column over one hour of the baseline's own time. */
export interface BaselineBlock {
  readonly column: string;
  readonly hour: Date;
  readonly missing: number;
  readonly counts: readonly number[];
}

interface Row {
  readonly id: string;
  readonly model: string;
  readonly version: string;
  readonly created_at: Date;
  readonly dataset_hash: string;
  readonly row_count: number;
  readonly document: string;
}

/** Baselines are immutable: a new one of the same version supersedes the older, which stays for the results made with it. */
export class BaselineStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  async add(tx: Transaction, baseline: StoredBaseline, blocks: readonly BaselineBlock[]): Promise<void> {
    await tx.run(
      `insert into baselines values ($id, $model, $version, $created_at::timestamptz, $dataset_hash, $rows, $document::json)`,
      { ...baseline, document: JSON.stringify(baseline.document) },
    );
    const BATCH = 2_000;
    for (let from = 0; from < blocks.length; from += BATCH) {
      const batch = blocks.slice(from, from + BATCH);
      await tx.run(
        `insert into baseline_profiles
         select $id, (b->>'hour')::timestamptz, b->>'column', (b->>'missing')::bigint, (b->'counts')::bigint[]
         from (select unnest($blocks::json[]) as b)`,
        {
          id: baseline.id,
          blocks: listValue(
            batch.map((block) => JSON.stringify({ ...block, hour: block.hour.toISOString() })),
          ),
        },
      );
    }
  }

  /**
   * The newest baseline of the version, or of the model when no version is named.
   * @throws ServiceError `not-found` with the way out.
   */
  async idOf(model: string, version?: string): Promise<string> {
    const [row] = await this.#database.all<{ id: string }>(
      `select id from baselines where model = $model and ($version = '' or version = $version) order by created_at desc, id desc limit 1`,
      { model, version: version ?? "" },
    );
    if (row) return row.id;
    throw new ServiceError(
      "not-found",
      `model "${model}" has no baseline${version ? ` for version "${version}"` : ""}: create one with leeway baseline create ${model} ${version ?? "VERSION"} FILE`,
    );
  }

  async byId(id: string): Promise<StoredBaseline> {
    const [row] = await this.#database.all<Row>("select * from baselines where id = $id", { id });
    if (!row) throw new RangeError(`no baseline has the id ${id}`);
    return stored(row);
  }

  /** The baseline over its own time, in order; empty when it was made without a time column. */
  async blocks(id: string, unit: "hour" | "day", columns: readonly string[]): Promise<BaselineBlock[]> {
    if (columns.length === 0) return [];
    const rows = await this.#database.all<{
      column_name: string;
      start: Date;
      missing: number;
      counts: number[][];
    }>(
      `select column_name, date_trunc('${unit}', block_start) as start, sum(missing)::bigint as missing, list(counts) as counts
       from baseline_profiles where baseline_id = $id and list_contains($columns, column_name)
       group by all order by column_name, start`,
      { id, columns: listValue([...columns]) },
    );
    return rows.map(({ column_name, start, missing, counts }) => ({
      column: column_name,
      hour: start,
      missing,
      counts: addUp(counts),
    }));
  }
}

function addUp(lists: readonly (readonly number[])[]): number[] {
  const sums: number[] = new Array(lists[0]?.length ?? 0).fill(0);
  for (const list of lists)
    list.forEach((count, i) => {
      sums[i] = (sums[i] ?? 0) + count;
    });
  return sums;
}

function stored(row: Row): StoredBaseline {
  const { row_count, created_at, document, ...rest } = row;
  return { ...rest, rows: row_count, created_at: created_at.toISOString(), document: JSON.parse(document) };
}
