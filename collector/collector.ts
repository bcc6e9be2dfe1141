import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../schema/errors.ts";
import type { Metrics } from "../schema/metrics.ts";
import { type IngestAnswer, labelRecord, scoringRecord } from "../schema/record.ts";
import type { Database } from "../store/database.ts";
import { identifier } from "../store/identifier.ts";
import {
  addColumns,
  createModel,
  freeName,
  type ModelColumn,
  readColumns,
  readModels,
  refreshView,
  type StoredType,
} from "../store/models.ts";
import { RecordStore, type TimeWindow } from "../store/records.ts";
import { type CollectorLimits, defaultLimits } from "./limits.ts";
import type { BatchFormat } from "./request-body.ts";

export interface CollectorOptions {
  readonly database: Database;
  readonly dataDir: string;
  readonly now: () => Date;
  readonly metrics: Metrics;
  readonly log?: (message: string, fields: object) => void;
  readonly limits?: Partial<CollectorLimits>;
}

/** One request's records or labels, as they came. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly format: BatchFormat;
  /** Gives records without an id one that a repeat of the request will have too. */
  readonly idempotencyKey?: string | undefined;
}

/** A Parquet file of a window, to be sent and then removed. */
export interface ExportedWindow {
  readonly file: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly remove: () => void;
}

export async function openCollector(options: CollectorOptions): Promise<Collector> {
  await mkdir(join(options.dataDir, "exports"), { recursive: true });
  return new Collector(options);
}

/** FIRST FORM: one transaction per request. */
export class Collector {
  readonly limits: CollectorLimits;
  readonly #options: CollectorOptions;
  #last: Promise<unknown> = Promise.resolve();
  constructor(options: CollectorOptions) {
    this.#options = options;
    this.limits = { ...defaultLimits, ...options.limits };
  }

  receiveRecords(model: string, batch: Batch): Promise<IngestAnswer> {
    return this.#inTurn(() => this.#storeRecords(model, batch));
  }

  receiveLabels(model: string, batch: Batch): Promise<IngestAnswer> {
    return this.#inTurn(() => this.#storeLabels(model, batch));
  }

  async exportWindow(model: string, window: TimeWindow): Promise<ExportedWindow> {
    const file = join(this.#options.dataDir, "exports", `${randomUUID()}.parquet`);
    const written = await new RecordStore(this.#options.database).exportParquet(model, window, file);
    return { file, ...written, remove: () => void rm(file, { force: true }) };
  }

  async tick(): Promise<void> {}
  async flush(): Promise<void> {
    await this.#last;
  }
  async close(): Promise<void> {
    await this.#last;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #storeRecords(model: string, batch: Batch): Promise<IngestAnswer> {
    const { database, metrics, now } = this.#options;
    const values = parse(batch);
    const received = now().toISOString();
    const errors: IngestAnswer["errors"] = [];
    const known = (await readColumns(database)).filter((column) => column.model === model);
    const columns = new Map<string, ModelColumn>(known.map((c) => [`${c.direction}:${c.name}`, c]));
    const added: ModelColumn[] = [];
    const rows: Record<string, unknown>[] = [];
    let mismatches = 0;
    values.forEach((value, index) => {
      const parsed = scoringRecord.safeParse(value);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        errors.push({ index, path: issue?.path.join(".") ?? "", message: issue?.message ?? "" });
        return;
      }
      const record = parsed.data;
      const overflow: Record<string, unknown> = {};
      const row: Record<string, unknown> = {
        record_id: String(record.id ?? randomUUID()),
        row: record.row,
        time: record.time ?? received,
        received_at: received,
        version: record.version,
        deployment: record.deployment,
        status: record.status,
        latency_ms: record.latency_ms,
      };
      for (const direction of ["in", "out"] as const) {
        for (const [name, item] of Object.entries(direction === "in" ? record.inputs : record.outputs)) {
          if (item === null) continue;
          const type: StoredType =
            typeof item === "number"
              ? "DOUBLE"
              : typeof item === "string"
                ? "VARCHAR"
                : typeof item === "boolean"
                  ? "BOOLEAN"
                  : "JSON";
          let column = columns.get(`${direction}:${name}`);
          if (!column) {
            const taken = new Set([...columns.values()].map((c) => c.column.toLowerCase()));
            column = { direction, name, column: freeName(`${direction}_${name}`, taken), type };
            columns.set(`${direction}:${name}`, column);
            added.push(column);
          }
          if (column.type === type) row[column.column] = item;
          else {
            overflow[column.column] = item;
            mismatches++;
          }
        }
      }
      if (Object.keys(overflow).length > 0) row["overflow"] = overflow;
      rows.push(row);
    });
    const stored = await database.transaction(async (tx) => {
      const models = await readModels(database);
      const collected = models.find((m) => m.model === model) ?? (await createModel(tx, model, models));
      await addColumns(tx, collected, added);
      const all = [...columns.values()];
      await refreshView(tx, collected, all);
      const core = {
        record_id: "VARCHAR",
        row: "INTEGER",
        time: "TIMESTAMPTZ",
        received_at: "TIMESTAMPTZ",
        version: "VARCHAR",
        deployment: "VARCHAR",
        status: "INTEGER",
        latency_ms: "DOUBLE",
        overflow: "JSON",
      };
      const shape = {
        ...core,
        ...Object.fromEntries(all.map((c) => [c.column, c.type === "JSON" ? "JSON" : c.type])),
      };
      const names = Object.keys(shape).map(identifier).join(",");
      const result = await tx.run(
        `insert into ${identifier(collected.recordsTable)} (${names}, key_high, key_low)
         select ${names}, hash(record_id, row)::hugeint - 9223372036854775808::hugeint, (hash(row, record_id) & 2147483647)::integer from (
           select unnest(from_json($rows, $shape), recursive := true)) n
         where not exists (from ${identifier(collected.recordsTable)} o where o.record_id = n.record_id and o.row = n.row)
         qualify row_number() over (partition by record_id, row) = 1`,
        { rows: JSON.stringify(rows), shape: JSON.stringify([shape]) },
      );
      await tx.run(
        `insert into touched_hours select $model, date_trunc('hour', time), count(*), epoch_ms(now()), now()
         from ${identifier(collected.recordsTable)} where received_at = $received::timestamptz group by all
         on conflict do update set records = touched_hours.records + excluded.records, load_number = excluded.load_number, updated_at = excluded.updated_at`,
        { model, received },
      );
      return result;
    });
    const answer = {
      received: values.length,
      stored,
      duplicates: rows.length - stored,
      rejected: values.length - rows.length,
      errors: errors.slice(0, this.limits.namedErrors),
    };
    metrics.count("leeway_records_total", { model, outcome: "stored" }, answer.stored);
    metrics.count("leeway_records_total", { model, outcome: "duplicate" }, answer.duplicates);
    metrics.count("leeway_records_total", { model, outcome: "rejected" }, answer.rejected);
    if (mismatches > 0) metrics.count("leeway_type_mismatches_total", { model }, mismatches);
    return answer;
  }

  async #storeLabels(model: string, batch: Batch): Promise<IngestAnswer> {
    const { database, metrics, now } = this.#options;
    const values = parse(batch);
    const received = now().toISOString();
    const errors: IngestAnswer["errors"] = [];
    const rows: object[] = [];
    values.forEach((value, index) => {
      const parsed = labelRecord.safeParse(value);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        errors.push({ index, path: issue?.path.join(".") ?? "", message: issue?.message ?? "" });
        return;
      }
      const { id, row, label, time } = parsed.data;
      rows.push({
        record_id: String(id),
        row,
        label: String(label),
        number: typeof label === "number" ? label : null,
        type: typeof label,
        time: time ?? received,
        received_at: received,
        timed: time !== undefined,
      });
    });
    const stored = await database.transaction(async (tx) => {
      const models = await readModels(database);
      const collected = models.find((m) => m.model === model) ?? (await createModel(tx, model, models));
      const shape =
        '[{"record_id":"VARCHAR","row":"INTEGER","label":"VARCHAR","number":"DOUBLE","type":"VARCHAR","time":"TIMESTAMPTZ","received_at":"TIMESTAMPTZ","timed":"BOOLEAN"}]';
      const result = await tx.run(
        `insert into ${identifier(collected.labelsTable)}
         select *, hash(record_id, row)::hugeint - 9223372036854775808::hugeint, (hash(row, record_id) & 2147483647)::integer
         from (select unnest(from_json($rows, $shape), recursive := true))`,
        { rows: JSON.stringify(rows), shape },
      );
      await tx.run(
        `update collected_models set label_type = (select case when count(distinct type) > 1 then 'VARCHAR'
           else case max(type) when 'number' then 'DOUBLE' when 'boolean' then 'BOOLEAN' else 'VARCHAR' end end
           from ${identifier(collected.labelsTable)}) where model = $model`,
        { model },
      );
      const columns = (
        await tx.all<ModelColumn & { model: string }>(
          `select model, direction, name, column_name as "column", type from model_columns where model = $model order by position`,
          { model },
        )
      ).slice();
      const [fresh] = await tx.all<{ labelType: "DOUBLE" | "BOOLEAN" | "VARCHAR" | null }>(
        `select label_type as "labelType" from collected_models where model = $model`,
        { model },
      );
      await refreshView(tx, { ...collected, labelType: fresh?.labelType ?? null }, columns);
      return result;
    });
    metrics.count("leeway_labels_total", { model, outcome: "stored" }, stored);
    return {
      received: values.length,
      stored,
      duplicates: 0,
      rejected: values.length - rows.length,
      errors: errors.slice(0, this.limits.namedErrors),
    };
  }
}

function parse({ bytes, format }: Batch): unknown[] {
  const text = new TextDecoder().decode(bytes);
  try {
    if (format === "ndjson")
      return text
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map((line) => JSON.parse(line));
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [value];
  } catch (error) {
    throw new ServiceError("invalid-input", `the body is not JSON: ${(error as Error).message}`);
  }
}
