import { ServiceError } from "../schema/errors.ts";
import type { FrameLoader, PreparedLoad } from "../store/frame-loader.ts";
import type { Journal } from "../store/journal.ts";
import type { DurableFrame } from "./group-commit.ts";

/**
 * A load begins by itself when so many rows wait, a little more than a row group of DuckDB (122,880): whole ones are
 * written straight into the file, smaller loads go through its write-ahead log first and cost twice as much.
 */
const LOAD_ROWS = 124_000;
/** Or so many bytes, for the sake of memory; or two thirds of what may wait, where that is less. */
const LOAD_BYTES = 32 * 1024 * 1024;
/** What is less than that waits for so many ticks: whoever reads loads it before that. */
const PATIENCE_TICKS = 5;

/**
 * What is durable in the journal and not yet in the tables. It is bounded: requests wait for room.
 *
 * A part of it is written to files while the part before it goes into the tables, so that neither waits for the other.
 */
export class Backlog {
  readonly #loader: FrameLoader;
  readonly #journal: Journal;
  readonly #limits: { readonly backlogBytes: number; readonly waitMs: number };
  readonly #loadBytes: number;
  readonly #log: (message: string, fields: object) => void;
  readonly #letGo: (frame: DurableFrame) => void;
  #frames: DurableFrame[] = [];
  #prepared: { readonly load: PreparedLoad; readonly frames: number }[] = [];
  #waiting: (() => void)[] = [];
  #state: "idle" | "loading" = "idle";
  #failure: unknown;
  /** Since the last load. */
  #ticks = 0;
  #rows = 0;
  /** Frames that have left the memory, are in the tables, and are to be there as soon as can be. */
  #written = 0;
  #inserted = 0;
  #wanted = 0;
  #awaited: {
    readonly end: number;
    readonly resolve: () => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  /** In memory; what is prepared lies in files. */
  bytes = 0;

  constructor(options: {
    readonly loader: FrameLoader;
    readonly journal: Journal;
    readonly limits: { readonly backlogBytes: number; readonly waitMs: number };
    readonly log: (message: string, fields: object) => void;
    /** Called when the memory of a frame is not needed any more. */
    readonly letGo: (frame: DurableFrame) => void;
  }) {
    this.#loader = options.loader;
    this.#journal = options.journal;
    this.#limits = options.limits;
    this.#loadBytes = Math.min(LOAD_BYTES, (options.limits.backlogBytes * 2) / 3);
    this.#log = options.log;
    this.#letGo = options.letGo;
  }

  add(frames: readonly DurableFrame[]): void {
    this.#frames.push(...frames);
    for (const { frame, bytes } of frames) {
      this.bytes += bytes.length;
      this.#rows += frame.rows;
    }
    if (this.#enough() && !this.#failure) this.#begin();
  }

  get hasRoom(): boolean {
    return this.bytes <= this.#limits.backlogBytes;
  }

  /**
   * Resolves when there is room for more.
   * @throws ServiceError `unavailable` when loading fails, `queue-full` when it takes too long.
   */
  async room(): Promise<void> {
    while (!this.hasRoom) {
      if (this.#failure) {
        throw new ServiceError(
          "unavailable",
          `records wait to be moved into the tables, and that fails: ${reasonOf(this.#failure)}`,
          { retryAfterSeconds: 5, cause: this.#failure },
        );
      }
      await this.#progress();
    }
  }

  /** Loads what has waited for some ticks, or could not be loaded before. */
  async tick(): Promise<void> {
    if ((this.bytes === 0 && this.#prepared.length === 0) || this.#state === "loading") return;
    this.#ticks++;
    if (this.#failure || this.#ticks >= PATIENCE_TICKS) await this.load();
  }

  /** Loads everything that is durable now. @throws whatever stands in its way. */
  async load(): Promise<void> {
    const end = this.#written + this.#frames.length;
    if (this.#inserted >= end) return;
    this.#wanted = end;
    const loaded = new Promise<void>((resolve, reject) => {
      this.#awaited.push({ end, resolve, reject });
    });
    this.#begin();
    return loaded;
  }

  #begin(): void {
    if (this.#state === "loading") return;
    this.#state = "loading";
    void this.#work();
  }

  async #work(): Promise<void> {
    let inserting = this.#insertPrepared(); // what an attempt that failed has left
    try {
      do {
        while (this.#more()) {
          await this.#prepare();
          await inserting;
          inserting = this.#insertPrepared();
        }
        await inserting;
      } while (this.#more()); // what has come while the last one was inserted
      this.#failure = undefined;
    } catch (error) {
      await inserting.catch(() => undefined);
      this.#failure = error;
      this.#log("records could not be moved from the journal into the tables", {
        error: reasonOf(error),
        backlog_bytes: this.bytes,
      });
      const awaited = this.#awaited;
      this.#awaited = [];
      for (const { reject } of awaited) reject(error);
    }
    this.#state = "idle"; // in the same turn as the last look at whether there is more
    this.#wake();
  }

  #more(): boolean {
    return this.#written < this.#wanted || this.#enough();
  }

  async #prepare(): Promise<void> {
    this.#ticks = 0;
    let count = 0;
    let bytes = 0;
    let rows = 0;
    for (const frame of this.#frames) {
      if (bytes >= this.#loadBytes || rows >= LOAD_ROWS) break;
      bytes += frame.bytes.length;
      rows += frame.frame.rows;
      count++;
    }
    const part = this.#frames.slice(0, count);
    const last = part.at(-1);
    if (!last) return;
    const frames = part.map(({ frame }) => frame);
    this.#prepared.push({ load: await this.#loader.prepare(frames, last.position), frames: count });
    this.#frames = this.#frames.slice(count);
    this.#written += count;
    this.bytes -= bytes;
    this.#rows -= rows;
    for (const frame of part) this.#letGo(frame);
    this.#wake();
  }

  /** Whoever waits for it learns of a failure; until then it is nobody's fault. */
  #insertPrepared(): Promise<void> {
    const inserted = this.#insertAll();
    inserted.catch(() => undefined);
    return inserted;
  }

  async #insertAll(): Promise<void> {
    for (let next = this.#prepared[0]; next; next = this.#prepared[0]) {
      await this.#loader.insert(next.load);
      this.#prepared.shift();
      this.#inserted += next.frames;
      await this.#journal.removeBefore(next.load.position.segment);
      const done = this.#awaited.filter(({ end }) => end <= this.#inserted);
      this.#awaited = this.#awaited.filter(({ end }) => end > this.#inserted);
      for (const { resolve } of done) resolve();
    }
  }

  #enough(): boolean {
    return this.bytes >= this.#loadBytes || this.#rows >= LOAD_ROWS;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  async #progress(): Promise<void> {
    const patience = AbortSignal.timeout(this.#limits.waitMs);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push(resolve);
      patience.addEventListener("abort", () =>
        reject(
          new ServiceError(
            "queue-full",
            `${this.bytes} bytes wait to be moved into the tables, of ${this.#limits.backlogBytes} that may: try again later`,
            { retryAfterSeconds: 2 },
          ),
        ),
      );
    });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
