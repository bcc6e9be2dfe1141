import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../../schema/errors.ts";
import type { IngestAnswer } from "../../schema/record.ts";
import type { Database } from "../../store/database.ts";
import { type JsonMember, openTableFile, type TableColumn, type TableFile } from "../../store/table-file.ts";
import type { Collector } from "../collector.ts";
import type { BodySource } from "../request-body.ts";
import { spoolBody } from "./spool-body.ts";
import { labelPlan, namesIn, recordPlan, type TableRoles } from "./table-columns.ts";
import { type SliceToStore, storeSlice } from "./table-store.ts";

/** Rows that are looked at one by one are passed on in parts of about this length. */
const PART_BYTES = 2 * 1024 * 1024;
/** Rows of a row group of DuckDB: whole ones are written straight into its file. */
const ROW_GROUP = 122_880;
const MOST_ROW_GROUPS = 8;
/** Values of one transaction: they lie in memory on their way. What comes in meanwhile waits for it. */
const SLICE_VALUES = 24_000_000;

/** Rows of one transaction, for a table of so many columns. */
function sliceRowsOf(columns: number): number {
  const rows = Math.floor(SLICE_VALUES / columns);
  const groups = Math.min(MOST_ROW_GROUPS, Math.floor(rows / ROW_GROUP));
  return groups > 0 ? groups * ROW_GROUP : rows;
}

const FORMATS: Readonly<Record<string, "csv" | "parquet">> = {
  "text/csv": "csv",
  "application/csv": "csv",
  "application/vnd.apache.parquet": "parquet",
  "application/x-parquet": "parquet",
  "application/parquet": "parquet",
};

/** The format of a table, by media type; undefined for any other type. */
export function tableFormatOf(mediaType: string): "csv" | "parquet" | undefined {
  return Object.hasOwn(FORMATS, mediaType) ? FORMATS[mediaType] : undefined;
}

export interface TableUploadOptions {
  readonly collector: Pick<Collector, "receiveRecords" | "receiveLabels" | "storeTable" | "hold" | "limits">;
  readonly database: Database;
  /** Folder that the database may read, for files under way. */
  readonly folder: string;
  readonly mostBytes: number;
  /** Rows of one transaction, instead of as many as a table of that width bears. */
  readonly sliceRows?: number;
}

/** Takes tables in: written to a file as they come, read from there row by row. */
export class TableUpload {
  readonly #options: TableUploadOptions;

  constructor(options: TableUploadOptions) {
    this.#options = options;
  }

  /**
   * Takes the table of a body in. Rows without an id get one from `idempotencyKey` or else from the content, so that the
   * same table sent twice is stored once.
   * @throws ServiceError as `spoolBody`, and `invalid-input` when it is no table or a column has no role.
   */
  async take(
    what: "records" | "labels",
    model: string,
    body: BodySource & {
      readonly format: "csv" | "parquet";
      readonly roles: TableRoles;
      readonly idempotencyKey: string | undefined;
    },
  ): Promise<IngestAnswer> {
    const { database, folder, mostBytes, sliceRows } = this.#options;
    const file = join(folder, `upload-${randomUUID()}.${body.format}`);
    try {
      const content = await spoolBody(body, { file, mostBytes });
      const table = await openTableFile(database, file, body.format, (names) => namesIn(names, body.roles));
      const sum = emptyAnswer();
      if (what === "labels") {
        const { id, members } = labelPlan(table.columns, body.roles);
        await this.#sendLabels(model, table, [{ member: "id", column: id, as: "text" }, ...members], sum);
        return sum;
      }
      const plan = recordPlan(table.columns, body.roles);
      const key = body.idempotencyKey ?? content.sha256.slice(0, 32);
      await this.#storeSlices(
        slicesOf(table.rows, sliceRows ?? sliceRowsOf(table.columns.length)).map((slice) => ({
          model,
          table,
          slice,
          plan,
          key,
        })),
        sum,
      );
      if (plan.id && plan.label) {
        const members: JsonMember[] = [
          { member: "id", column: plan.id, as: "text" },
          ...plan.head.filter(({ member }) => member === "row"),
          { member: "label", column: plan.label, as: "value" },
        ];
        await this.#sendLabels(model, table, members, sum, plan.label);
      }
      return sum;
    } finally {
      await rm(file, { force: true });
      await rm(`${file}.parquet`, { force: true });
    }
  }

  /**
   * What a Parquet file holds that another system wrote its captures to, as lines of JSON: every column, bytes in base64.
   * @throws ServiceError as `take`, and `invalid-input` when one of the columns is missing.
   */
  async *captureLines(
    body: BodySource,
    expected: { readonly is: string; readonly columns: readonly string[] },
  ): AsyncGenerator<string> {
    const { database, folder, mostBytes } = this.#options;
    const file = join(folder, `upload-${randomUUID()}.parquet`);
    try {
      await spoolBody(body, { file, mostBytes });
      const table = await openTableFile(database, file, "parquet");
      const names = new Set(table.columns.map(({ name }) => name.replaceAll("_", "").toLowerCase()));
      const missing = expected.columns.find((name) => !names.has(name));
      if (missing !== undefined)
        throw new ServiceError(
          "invalid-input",
          `the Parquet file is none ${expected.is}: it has no column ${missing}. A table of records goes to /v1/models/{model}/records`,
        );
      const members = table.columns.map(
        (column): JsonMember => ({
          member: column.name,
          column,
          as: column.type === "BLOB" ? "base64" : "value",
        }),
      );
      yield* table.jsonLines(members, { partBytes: PART_BYTES });
    } finally {
      await rm(file, { force: true });
    }
  }

  /** Stores slice after slice; while one goes into the tables, the keys of the next are looked up. */
  async #storeSlices(slices: readonly SliceToStore[], sum: IngestAnswer): Promise<void> {
    const release = slices[0] && this.#options.collector.hold(slices[0].model);
    try {
      await this.#storeInOrder(slices, sum);
    } finally {
      release?.();
    }
  }

  async #storeInOrder(slices: readonly SliceToStore[], sum: IngestAnswer): Promise<void> {
    let [current, ...rest] = slices;
    let storing = current && storeSlice(this.#options, current);
    while (current && storing) {
      const [next, ...others] = rest;
      const following = next && storeSlice(this.#options, next);
      following?.catch(() => undefined); // told when it is its turn
      const answer = await storing;
      if (answer) this.#add(sum, answer, current.slice.from);
      else {
        await following?.catch(() => undefined);
        await this.#sendRecords(current, sum);
      }
      [current, rest, storing] = [next, others, following];
    }
  }

  /** Rows that have to be looked at one by one. */
  async #sendRecords({ model, table, slice, plan, key }: SliceToStore, sum: IngestAnswer): Promise<void> {
    const members: JsonMember[] = [
      { member: "id", id: plan.id?.name, key },
      ...plan.head,
      { member: "inputs", members: plan.inputs },
      { member: "outputs", members: plan.outputs },
    ];
    let before = slice.from;
    for await (const text of table.jsonLines(members, { partBytes: PART_BYTES, slice })) {
      const part = { bytes: Buffer.from(text), format: "ndjson" } as const;
      const answer = await this.#options.collector.receiveRecords(model, part);
      this.#add(sum, answer, before);
      before += answer.received;
    }
  }

  async #sendLabels(
    model: string,
    table: TableFile,
    members: readonly JsonMember[],
    sum: IngestAnswer,
    where?: TableColumn,
  ): Promise<void> {
    let before = 0;
    for await (const text of table.jsonLines(members, { partBytes: PART_BYTES, where })) {
      const part = { bytes: Buffer.from(text), format: "ndjson" } as const;
      const answer = await this.#options.collector.receiveLabels(model, part);
      this.#add(sum, answer, before);
      before += answer.received;
    }
  }

  #add(sum: IngestAnswer, answer: IngestAnswer, before: number): void {
    sum.received += answer.received;
    sum.stored += answer.stored;
    sum.duplicates += answer.duplicates;
    sum.rejected += answer.rejected;
    if (answer.sampled_out) sum.sampled_out = (sum.sampled_out ?? 0) + answer.sampled_out;
    for (const { index, ...error } of answer.errors) {
      if (sum.errors.length < this.#options.collector.limits.namedErrors)
        sum.errors.push({ index: before + index, ...error });
    }
  }
}

function slicesOf(rows: number, sliceRows: number) {
  return Array.from({ length: Math.ceil(rows / sliceRows) }, (_, i) => ({
    from: i * sliceRows,
    to: Math.min(rows, (i + 1) * sliceRows),
  }));
}

function emptyAnswer(): IngestAnswer {
  return { received: 0, stored: 0, duplicates: 0, rejected: 0, errors: [] };
}
