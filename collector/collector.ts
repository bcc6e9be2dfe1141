import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { scheduler } from "node:timers/promises";
import { V7Generator } from "uuidv7";
import { ServiceError } from "../schema/errors.ts";
import type { Metrics } from "../schema/metrics.ts";
import type { IngestAnswer } from "../schema/record.ts";
import type { Database } from "../store/database.ts";
import type { Frame } from "../store/frame.ts";
import { FrameLoader } from "../store/frame-loader.ts";
import { Journal } from "../store/journal.ts";
import { RecordStore, type TimeWindow } from "../store/records.ts";
import { type DeletedPiece, deleteBefore } from "../store/retention.ts";
import { retypeColumns } from "../store/retype-columns.ts";
import { Backlog } from "./backlog.ts";
import { type CollectSettings, collectRules } from "./collect-settings.ts";
import { GroupCommit } from "./group-commit.ts";
import { type CollectorLimits, defaultLimits } from "./limits.ts";
import { ModelRows } from "./model-rows.ts";
import type { RecordIssue } from "./record-issues.ts";
import type { RecordRows } from "./record-rows.ts";
import { type RecordSlices, recordSlices } from "./record-slices.ts";
import { recoverJournal, settleSeed } from "./recover-journal.ts";
import type { BatchFormat } from "./request-body.ts";
import { type Reservation, Reservations } from "./reservations.ts";
import type { Outcome, RequestContext, Rows } from "./rows.ts";
import { SpareMemory } from "./spare-memory.ts";
import { outcomesOf, Tally } from "./tally.ts";
import { instantOf } from "./timestamp.ts";

export interface CollectorOptions {
  readonly database: Database;
  readonly dataDir: string;
  readonly now: () => Date;
  readonly metrics: Metrics;
  readonly log?: (message: string, fields: object) => void;
  readonly limits?: Partial<CollectorLimits>;
  /** What is collected of models, where it is not everything as it comes. */
  readonly collect?: CollectSettings;
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

/** Others get their turn after so many bytes of a long request. */
const TURN_BYTES = 256 * 1024;

/** Of what the frames of one load lie in so much is kept for those of the next. */
const FRAME_MEMORY_BYTES = 16 * 1024 * 1024;

/** Opens the collector on a data folder; what an earlier process had acknowledged is in the tables when it returns. */
export async function openCollector(options: CollectorOptions): Promise<Collector> {
  const { database, dataDir, now } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const log = options.log ?? (() => undefined);
  const folders = {
    journal: join(dataDir, "journal"),
    loading: join(dataDir, "loading"),
    exports: join(dataDir, "exports"),
  };
  for (const folder of [folders.loading, folders.exports]) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
  }
  const seed = await settleSeed(database, folders.journal);
  const openLoader = () => FrameLoader.open({ database, folder: folders.loading, now });
  const recovery = { database, loader: await openLoader(), journalFolder: folders.journal, log };
  const lastSegment = await recoverJournal(recovery);
  for (const model of Object.keys(options.collect?.models ?? {})) {
    const { types } = collectRules(options.collect, model);
    for (const { column, type } of await retypeColumns(database, model, types, now()))
      log("a column has another type from now on, and its values with it", { model, column, before: type });
  }
  const loader = await openLoader();
  const journal = await Journal.open(folders.journal, seed, lastSegment);
  const words = [0, 4, 8, 12].map((at) => seed.readInt32LE(at)) as [number, number, number, number];
  const models = await ModelRows.open(database, words, limits, options.collect);
  const memory = new SpareMemory(FRAME_MEMORY_BYTES);
  const backlog = new Backlog({ loader, journal, limits, log, letGo: ({ bytes }) => memory.give(bytes) });
  const parts = { ...options, limits, journal, models, backlog, loader, memory };
  return new Collector({ ...parts, exports: folders.exports });
}

/** What storing a table works on. */
export interface TableInside {
  readonly records: RecordRows;
  readonly loader: FrameLoader;
  /** Settles when the tables before this one are stored, or could not be: what they hold may have been called known. */
  readonly before: Promise<void>;
  /** Takes keys out again whose rows could not be stored. */
  readonly forget: (keys: Frame) => void;
}

interface Parts extends CollectorOptions {
  readonly limits: CollectorLimits;
  readonly journal: Journal;
  readonly models: ModelRows;
  readonly backlog: Backlog;
  readonly memory: SpareMemory;
  readonly loader: FrameLoader;
  readonly exports: string;
}

/** Takes records and labels in, acknowledges them when they are durable, and moves them into the tables. */
export class Collector {
  readonly limits: CollectorLimits;
  readonly #parts: Parts;
  readonly #groups: GroupCommit;
  readonly #reservations: Reservations;
  readonly #ids = new V7Generator();
  #state: "open" | "closing" = "open";
  /** Tables that are being stored past the journal. */
  readonly #storing = new Map<Rows, Promise<void>>();
  #requests = 0;
  #lastRequestDone: (() => void) | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.limits = parts.limits;
    this.#reservations = new Reservations(parts.limits.queuedBytes);
    this.#groups = new GroupCommit({
      journal: parts.journal,
      memory: parts.memory,
      onDurable: (frames) => parts.backlog.add(frames),
      onFailed: (frames) => {
        for (const frame of frames) parts.models.forget(frame);
      },
    });
  }

  /** Room for a request's body, to be released when the request is answered. */
  reserve(): Reservation {
    return this.#reservations.reserve();
  }

  /**
   * Takes scored instances in. When it returns, those counted as stored or duplicates survive a crash.
   * @throws ServiceError `invalid-input` when the body as a whole cannot be read, `queue-full`, `unavailable`.
   */
  async receiveRecords(model: string, batch: Batch): Promise<IngestAnswer> {
    const { models, metrics } = this.#parts;
    const { records, done } = models.use(model);
    try {
      const answer = await this.#receive(records, batch);
      for (const [outcome, count] of outcomesOf(answer)) {
        metrics.count("leeway_records_total", { model, outcome }, count);
      }
      if (answer.sampled_out) {
        metrics.count("leeway_records_total", { model, outcome: "sampled_out" }, answer.sampled_out);
      }
      if (records.mismatches > 0)
        metrics.count("leeway_type_mismatches_total", { model }, records.mismatches);
      records.mismatches = 0;
      return answer;
    } finally {
      done();
    }
  }

  /** Takes ground truth in, which may come before its record. Promises what `receiveRecords` does. */
  async receiveLabels(model: string, batch: Batch): Promise<IngestAnswer> {
    const { models, metrics } = this.#parts;
    const { labels, done } = models.use(model);
    try {
      const answer = await this.#receive(labels, batch);
      for (const [outcome, count] of outcomesOf(answer)) {
        metrics.count("leeway_labels_total", { model, outcome }, count);
      }
      return answer;
    } finally {
      done();
    }
  }

  /**
   * Lets `work` store records of a model past the journal, set by set. What it counts as stored is in the tables when it
   * returns; when it fails, so does whatever was called a duplicate of its records meanwhile.
   */
  async storeTable(
    model: string,
    work: (inside: TableInside) => Promise<IngestAnswer>,
  ): Promise<IngestAnswer> {
    const { models, metrics, loader } = this.#parts;
    const { records, done } = models.use(model);
    try {
      return await this.#whileOpen(async () => {
        const failures = this.#groups.failures;
        const before = this.#storing.get(records) ?? Promise.resolve();
        const storing = work({ records, loader, before, forget: (frame) => models.forget(frame) });
        const told = Promise.all([before, storing]).then(() => undefined, tellLost);
        this.#storing.set(records, told);
        const clear = () => {
          if (this.#storing.get(records) === told) this.#storing.delete(records);
        };
        told.then(clear, clear);
        const answer = await storing;
        if (answer.duplicates > 0) await this.#groups.commit();
        if (this.#groups.failures !== failures) throw this.#groups.lastFailure;
        for (const [outcome, count] of outcomesOf(answer)) {
          metrics.count("leeway_records_total", { model, outcome }, count);
        }
        return answer;
      });
    } finally {
      done();
    }
  }

  /** Writes what is stored of a window, with labels, to a file of its own. */
  async exportWindow(model: string, window: TimeWindow): Promise<ExportedWindow> {
    await this.flush();
    const file = join(this.#parts.exports, `${randomUUID()}.parquet`);
    const written = await new RecordStore(this.#parts.database).exportParquet(model, window, file);
    return { file, ...written, remove: () => void rm(file, { force: true }) };
  }

  /** Deletes a model's records from before a time, piece by piece, and says of each what is gone. */
  async *deleteBefore(
    model: string,
    time: Date,
    pieceRows?: number,
  ): AsyncGenerator<DeletedPiece, void, void> {
    await this.flush();
    for await (const piece of deleteBefore(this.#parts.database, model, time, pieceRows)) {
      this.#parts.models.forgetDeleted(model, piece);
      yield piece;
    }
  }

  /** To be called about once a second: moves what has gathered into the tables and shows how much waits. */
  async tick(): Promise<void> {
    const { metrics, backlog } = this.#parts;
    metrics.set("leeway_ingest_queue_records", {}, this.#groups.gathering);
    metrics.set("leeway_ingest_queue_bytes", {}, this.#reservations.taken);
    metrics.set("leeway_ingest_backlog_bytes", {}, backlog.bytes);
    await backlog.tick().catch(() => undefined); // told in the log, and tried again at the next tick
  }

  /** Everything acknowledged so far is in the tables when it returns. */
  async flush(): Promise<void> {
    await this.#groups.commit();
    await this.#parts.backlog.load();
  }

  /** Refuses new requests, answers those under way, and moves everything into the tables. */
  async close(): Promise<void> {
    this.#state = "closing";
    if (this.#requests > 0) {
      await new Promise<void>((resolve) => {
        this.#lastRequestDone = resolve;
      });
    }
    let contents: "loaded" | "needed" = "needed";
    try {
      await this.flush();
      contents = "loaded";
    } finally {
      await this.#parts.journal.close(contents);
    }
  }

  #receive(rows: Rows, batch: Batch): Promise<IngestAnswer> {
    return this.#whileOpen(async () => {
      const started = performance.now();
      const failures = this.#groups.failures;
      const answer = await this.#take(rows, batch);
      if (answer.stored + answer.duplicates > 0) await this.#groups.commit();
      // A duplicate may be one of a record that was on its way and did not arrive.
      if (this.#groups.failures !== failures) throw this.#groups.lastFailure;
      if (answer.duplicates > 0) await this.#storing.get(rows);
      this.#parts.metrics.observe("leeway_ingest_duration_seconds", {}, (performance.now() - started) / 1000);
      return answer;
    });
  }

  async #whileOpen<T>(work: () => Promise<T>): Promise<T> {
    if (this.#state === "closing") {
      throw new ServiceError("unavailable", "the service is stopping: try again", { retryAfterSeconds: 2 });
    }
    this.#requests++;
    try {
      return await work();
    } finally {
      this.#requests--;
      if (this.#requests === 0) this.#lastRequestDone?.();
    }
  }

  async #take(rows: Rows, { bytes, format, idempotencyKey }: Batch): Promise<IngestAnswer> {
    const { backlog, now } = this.#parts;
    await backlog.room();
    const slices = recordSlices(bytes, format);
    const receivedAt = now();
    const context: RequestContext = {
      receivedAt: instantOf(receivedAt),
      idFor: (index) =>
        idempotencyKey === undefined
          ? this.#ids.generateOrResetCore(receivedAt.getTime(), 10_000).toString()
          : `${idempotencyKey}:${index}`,
    };
    const tally = new Tally(this.limits.namedErrors);
    let turnEnd = TURN_BYTES;
    for (let index = 0; ; index++) {
      const kind = slices.next();
      if (kind === "end") return tally.answer();
      const outcome = this.#takeOne(rows, kind, slices, context, index, bytes);
      tally.add(index, outcome);
      if (outcome === "stored" && this.#groups.appended(rows) === "frame-full") void this.#groups.commit();
      if (slices.to > turnEnd) {
        turnEnd = slices.to + TURN_BYTES;
        await scheduler.yield();
        await backlog.room();
      }
    }
  }

  #takeOne(
    rows: Rows,
    kind: "bounds" | "value" | "not-utf8",
    slices: RecordSlices,
    context: RequestContext,
    index: number,
    bytes: Uint8Array,
  ): Outcome | readonly RecordIssue[] {
    if (kind === "not-utf8") return [{ path: "", message: "is not UTF-8" }];
    if (kind === "value") return rows.parse(slices.value, context, index);
    const outcome = rows.scan(bytes, slices, context, index);
    if (outcome !== "unusual") return outcome;
    let value: unknown;
    try {
      value = JSON.parse(
        Buffer.from(bytes.buffer, bytes.byteOffset + slices.from, slices.to - slices.from).toString(),
      );
    } catch (error) {
      const message = `is not JSON: ${error instanceof Error ? error.message : String(error)}`;
      if (slices.body === "unread") throw new ServiceError("invalid-input", `the body ${message}`);
      return [{ path: "", message }];
    }
    return rows.parse(value, context, index);
  }
}

function tellLost(): never {
  throw new ServiceError(
    "unavailable",
    "some of these are in a table that could not be stored: send them again",
    { retryAfterSeconds: 1 },
  );
}
