import { randomUUID } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../schema/errors.ts";
import type { Database } from "../store/database.ts";
import type { RecordStore, TimeWindow } from "../store/records.ts";
import { exportTraining } from "../store/training-export.ts";
import type { WrittenExport } from "../store/write-export.ts";

/** `records`: columns as queries name them. `training`: features by their own names, as training data look. */
export type ExportForm = "records" | "training";

/** What a file of collected records holds, to be kept beside it. */
export interface ExportManifest {
  readonly model: string;
  readonly from: string;
  readonly to: string;
  readonly form: ExportForm;
  readonly rows: number;
  readonly columns: WrittenExport["columns"];
  readonly bytes: number;
  /** Of the file: the same records make the same one. */
  readonly sha256: string;
  readonly created_at: string;
  readonly created_by: string;
}

const HOUR_MS = 3_600_000;
/** An export is to be fetched, not kept: it holds what retention may have to delete. */
const KEPT_MS = HOUR_MS;
/** More than these at a time are not kept; the oldest goes. */
const MOST_KEPT = 16;

/** Parquet files of collected records, each with a manifest, that wait to be fetched. */
export class Exports {
  readonly #parts: {
    readonly database: Database;
    readonly records: RecordStore;
    readonly folder: string;
    readonly version: string;
    readonly now: () => Date;
  };
  readonly #kept = new Map<string, { readonly manifest: ExportManifest; readonly until: number }>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: {
    readonly database: Database;
    readonly records: RecordStore;
    /** That the database may write to; emptied at the start. */
    readonly folder: string;
    /** Of this program. */
    readonly version: string;
    readonly now: () => Date;
  }) {
    this.#parts = parts;
  }

  /** Writes a window to a file, one at a time. */
  create(model: string, window: TimeWindow, form: ExportForm): Promise<ExportManifest> {
    const turn = this.#last.then(() => this.#create(model, window, form));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** @throws ServiceError `not-found` when it was never made or is not kept any more. */
  async find(sha256: string): Promise<{ readonly manifest: ExportManifest; readonly file: string }> {
    await this.#forget();
    const kept = this.#kept.get(sha256);
    if (!kept) {
      throw new ServiceError(
        "not-found",
        `there is no export ${sha256}: exports are kept for an hour, make it again with POST /v1/models/{model}/exports`,
      );
    }
    return { manifest: kept.manifest, file: this.#fileOf(sha256) };
  }

  async #create(model: string, { from, to }: TimeWindow, form: ExportForm): Promise<ExportManifest> {
    const { database, records, folder, version, now } = this.#parts;
    await this.#forget();
    await mkdir(folder, { recursive: true });
    const made = join(folder, `${randomUUID()}.parquet`);
    try {
      const { rows, bytes, sha256, columns } =
        form === "records"
          ? await records.exportParquet(model, { from, to }, made)
          : await exportTraining(database, records, { model, window: { from, to }, weights: "column" }, made);
      const manifest: ExportManifest = {
        model,
        from: from.toISOString(),
        to: to.toISOString(),
        form,
        rows,
        columns,
        bytes,
        sha256,
        created_at: now().toISOString(),
        created_by: `leeway ${version}`,
      };
      await rename(made, this.#fileOf(sha256));
      this.#kept.delete(sha256); // to the end of the order
      this.#kept.set(sha256, { manifest, until: now().getTime() + KEPT_MS });
      return manifest;
    } finally {
      await rm(made, { force: true });
    }
  }

  /** Removes what nobody has fetched in time; whoever is reading a file reads it to its end. */
  async #forget(): Promise<void> {
    const now = this.#parts.now().getTime();
    for (const [sha256, { until }] of this.#kept) {
      if (until > now && this.#kept.size < MOST_KEPT) continue;
      this.#kept.delete(sha256);
      await rm(this.#fileOf(sha256), { force: true });
    }
  }

  /** To be called now and then. */
  async tick(): Promise<void> {
    await this.#forget();
  }

  #fileOf(sha256: string): string {
    return join(this.#parts.folder, `${sha256}.parquet`);
  }
}
