import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { scheduler } from "node:timers/promises";
import { V7Generator } from "uuidv7";
import { ServiceError } from "../schema/errors.ts";
import type { Metrics } from "../schema/metrics.ts";
import type { IngestAnswer } from "../schema/record.ts";
import type { Database } from "../store/database.ts";
import { FrameLoader } from "../store/frame-loader.ts";
import { Journal } from "../store/journal.ts";
import { RecordStore, type TimeWindow } from "../store/records.ts";
import { type DeletedPiece, deleteBefore } from "../store/retention.ts";
import { retypeColumns } from "../store/retype-columns.ts";
import { Backlog } from "./backlog.ts";
import { type Batch, BatchIntake } from "./batch-intake.ts";
import { type CollectSettings, collectRules } from "./collect-settings.ts";
import { GroupCommit } from "./group-commit.ts";
import { type CollectorLimits, defaultLimits } from "./limits.ts";
import { ModelRows, type RowsInUse } from "./model-rows.ts";
import type { RecordRows } from "./record-rows.ts";
import { recoverJournal, settleSeed } from "./recover-journal.ts";
import { type Reservation, Reservations } from "./reservations.ts";
import type { Rows } from "./rows.ts";
import { isLasting, type SmallRequest, SmallRequestQueue, type TakenRequest } from "./small-request.ts";
import { SpareMemory } from "./spare-memory.ts";
import type { TableInside } from "./table-inside.ts";
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
  readonly #soon = new SmallRequestQueue((requests) => this.#receiveTogether(requests));
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
      coming: () => this.#soon.length,
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
  receiveRecords(model: string, batch: Batch): Promise<IngestAnswer> {
    return this.#receiveInto("records", model, batch);
  }

  /** Takes ground truth in, which may come before its record. Promises what `receiveRecords` does. */
  receiveLabels(model: string, batch: Batch): Promise<IngestAnswer> {
    return this.#receiveInto("labels", model, batch);
  }

  async #receiveInto(what: "records" | "labels", model: string, batch: Batch): Promise<IngestAnswer> {
    const inUse = this.#parts.models.use(model);
    try {
      const answer = await this.#receive(inUse[what], batch);
      this.#count(what, model, answer, inUse.records);
      return answer;
    } finally {
      inUse.done();
    }
  }

  /**
   * As `receiveRecords` and `receiveLabels`, for small requests: those that come in at the same moment are taken one after
   * the other and made durable together. A promise and a turn of its own for each would cost as much as the storing.
   */
  receiveSoon(request: SmallRequest): void {
    this.#soon.add(request);
  }

  #receiveTogether(requests: readonly SmallRequest[]): void {
    const started = performance.now();
    const failures = this.#groups.failures;
    const taken: TakenRequest[] = [];
    let lasting = 0;
    for (const request of requests) {
      const { what, model, batch, answered, failed } = request;
      try {
        const one = this.#takeNow(request);
        if (one === "later") void this.#receiveInto(what, model, batch).then(answered, failed);
        else {
          taken.push(one);
          if (isLasting(one.answer)) lasting++;
        }
      } catch (error) {
        failed(error);
      }
    }
    const durable = lasting > 0 ? this.#groups.commit(lasting) : Promise.resolve();
    void durable.then(() => {
      const lost = this.#groups.failures !== failures;
      const seconds = (performance.now() - started) / 1000;
      for (const { request, inUse, answer } of taken) {
        const { what, model, answered, failed } = request;
        try {
          if (lost && isLasting(answer)) failed(this.#groups.lastFailure);
          else {
            this.#count(what, model, answer, inUse.records);
            this.#parts.metrics.observe("leeway_ingest_duration_seconds", {}, seconds);
            answered(answer);
          }
        } finally {
          inUse.done();
          this.#requestDone();
        }
      }
    });
  }

  /**
   * Lets `work` store records of a model past the journal, set by set. What it counts as stored is in the tables when it
   * returns; when it fails, so does whatever was called a duplicate of its records meanwhile.
   */
  async storeTable(
    model: string,
    work: (inside: TableInside) => Promise<IngestAnswer>,
  ): Promise<IngestAnswer> {
    const { models, loader } = this.#parts;
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
        this.#count("records", model, answer, records);
        return answer;
      });
    } finally {
      done();
    }
  }

  /** Keeps what is learnt of a model, such as the types of a table's columns, until what it returns is called. */
  hold(model: string): () => void {
    return this.#parts.models.use(model).done;
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
      if (isLasting(answer)) await this.#groups.commit();
      // A duplicate may be one of a record that was on its way and did not arrive.
      if (this.#groups.failures !== failures) throw this.#groups.lastFailure;
      if (answer.duplicates > 0) await this.#storing.get(rows);
      this.#parts.metrics.observe("leeway_ingest_duration_seconds", {}, (performance.now() - started) / 1000);
      return answer;
    });
  }

  async #whileOpen<T>(work: () => Promise<T>): Promise<T> {
    this.#requestBegins();
    try {
      return await work();
    } finally {
      this.#requestDone();
    }
  }

  #requestBegins(): void {
    if (this.#state === "closing") {
      throw new ServiceError("unavailable", "the service is stopping: try again", { retryAfterSeconds: 2 });
    }
    this.#requests++;
  }

  #requestDone(): void {
    this.#requests--;
    if (this.#requests === 0) this.#lastRequestDone?.();
  }

  /** What has to wait for something, or is long, is for later. */
  #takeNow(request: SmallRequest): TakenRequest | "later" {
    const { what, model, batch } = request;
    const { models, backlog } = this.#parts;
    if (!backlog.hasRoom || this.#storing.size > 0 || batch.bytes.length > TURN_BYTES) return "later";
    this.#requestBegins();
    let inUse: RowsInUse | undefined;
    try {
      inUse = models.use(model);
      const intake = this.#intake(inUse[what], batch);
      intake.go(TURN_BYTES);
      return { request, inUse, answer: intake.answer() };
    } catch (error) {
      inUse?.done();
      this.#requestDone();
      throw error;
    }
  }

  async #take(rows: Rows, batch: Batch): Promise<IngestAnswer> {
    const { backlog } = this.#parts;
    await backlog.room();
    const intake = this.#intake(rows, batch);
    while (intake.go(TURN_BYTES) === "more") {
      await scheduler.yield();
      await backlog.room();
    }
    return intake.answer();
  }

  #intake(rows: Rows, batch: Batch): BatchIntake {
    const receivedAt = this.#parts.now();
    const { idempotencyKey } = batch;
    const idFor = (index: number) =>
      idempotencyKey === undefined
        ? this.#ids.generateOrResetCore(receivedAt.getTime(), 10_000).toString()
        : `${idempotencyKey}:${index}`;
    return new BatchIntake(rows, batch, {
      context: { receivedAt: instantOf(receivedAt), idFor },
      namedErrors: this.limits.namedErrors,
      onStored: () => {
        if (this.#groups.appended(rows) === "frame-full") void this.#groups.commit();
      },
    });
  }

  #count(what: "records" | "labels", model: string, answer: IngestAnswer, records: RecordRows): void {
    const { metrics } = this.#parts;
    const { stored, duplicates, rejected, sampled_out: out = 0 } = answer;
    const name = what === "records" ? "leeway_records_total" : "leeway_labels_total";
    if (stored > 0) metrics.count(name, { model, outcome: "stored" }, stored);
    if (duplicates > 0) metrics.count(name, { model, outcome: "duplicate" }, duplicates);
    if (rejected > 0) metrics.count(name, { model, outcome: "rejected" }, rejected);
    if (out > 0) metrics.count("leeway_records_total", { model, outcome: "sampled_out" }, out);
    if (what === "labels") return;
    if (records.mismatches > 0) metrics.count("leeway_type_mismatches_total", { model }, records.mismatches);
    records.mismatches = 0;
  }
}

function tellLost(): never {
  throw new ServiceError(
    "unavailable",
    "some of these are in a table that could not be stored: send them again",
    { retryAfterSeconds: 1 },
  );
}
