import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { IngestAnswer } from "../../schema/record.ts";
import type { Database } from "../../store/database.ts";
import { type JsonMember, openTableFile, type TableColumn, type TableFile } from "../../store/table-file.ts";
import type { Collector } from "../collector.ts";
import type { BodySource } from "../request-body.ts";
import { spoolBody } from "./spool-body.ts";
import { labelPlan, recordPlan, type TableRoles } from "./table-columns.ts";

/** Rows are passed on in parts of about this length. */
const PART_BYTES = 2 * 1024 * 1024;

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
  readonly collector: Pick<Collector, "receiveRecords" | "receiveLabels" | "limits">;
  readonly database: Database;
  /** Folder that the database may read, for files under way. */
  readonly folder: string;
  readonly mostBytes: number;
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
    const { database, folder, mostBytes, collector } = this.#options;
    const file = join(folder, `upload-${randomUUID()}.${body.format}`);
    try {
      const sha256 = await spoolBody(body, { file, mostBytes });
      const table = await openTableFile(database, file, body.format);
      const key = body.idempotencyKey ?? sha256.slice(0, 32);
      const sum = emptyAnswer();
      if (what === "labels") {
        await this.#send(table, labelPlan(table.columns, body.roles), sum, (part) =>
          collector.receiveLabels(model, part),
        );
        return sum;
      }
      const plan = recordPlan(table.columns, body.roles);
      await this.#send(table, plan.record, sum, (part, number) =>
        collector.receiveRecords(model, { ...part, idempotencyKey: `${key}-${number}` }),
      );
      if (plan.label) {
        await this.#send(
          table,
          plan.label.members,
          sum,
          (part) => collector.receiveLabels(model, part),
          plan.label.column,
        );
      }
      return sum;
    } finally {
      await rm(file, { force: true });
    }
  }

  async #send(
    table: TableFile,
    members: readonly JsonMember[],
    sum: IngestAnswer,
    receive: (
      part: { readonly bytes: Uint8Array; readonly format: "ndjson" },
      number: number,
    ) => Promise<IngestAnswer>,
    where?: TableColumn,
  ): Promise<void> {
    let number = 0;
    let before = 0;
    for await (const text of table.jsonLines(members, { partBytes: PART_BYTES, where })) {
      const answer = await receive({ bytes: Buffer.from(text), format: "ndjson" }, number++);
      this.#add(sum, answer, before);
      before += answer.received;
    }
  }

  #add(sum: IngestAnswer, answer: IngestAnswer, before: number): void {
    sum.received += answer.received;
    sum.stored += answer.stored;
    sum.duplicates += answer.duplicates;
    sum.rejected += answer.rejected;
    for (const { index, ...error } of answer.errors) {
      if (sum.errors.length < this.#options.collector.limits.namedErrors)
        sum.errors.push({ index: before + index, ...error });
    }
  }
}

function emptyAnswer(): IngestAnswer {
  return { received: 0, stored: 0, duplicates: 0, rejected: 0, errors: [] };
}
