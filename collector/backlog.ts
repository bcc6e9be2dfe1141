import { ServiceError } from "../schema/errors.ts";
import type { FrameLoader } from "../store/frame-loader.ts";
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

/** What is durable in the journal and not yet in the tables. It is bounded: requests wait for room. */
export class Backlog {
  readonly #loader: FrameLoader;
  readonly #journal: Journal;
  readonly #limits: { readonly backlogBytes: number; readonly waitMs: number };
  readonly #loadBytes: number;
  readonly #log: (message: string, fields: object) => void;
  #frames: DurableFrame[] = [];
  #waiting: (() => void)[] = [];
  #loading: Promise<void> | undefined;
  #failure: unknown;
  /** Since the last load. */
  #ticks = 0;
  #rows = 0;
  /** Frames that have left it. */
  #loaded = 0;
  bytes = 0;

  constructor(options: {
    readonly loader: FrameLoader;
    readonly journal: Journal;
    readonly limits: { readonly backlogBytes: number; readonly waitMs: number };
    readonly log: (message: string, fields: object) => void;
  }) {
    this.#loader = options.loader;
    this.#journal = options.journal;
    this.#limits = options.limits;
    this.#loadBytes = Math.min(LOAD_BYTES, (options.limits.backlogBytes * 2) / 3);
    this.#log = options.log;
  }

  add(frames: readonly DurableFrame[]): void {
    this.#frames.push(...frames);
    for (const { frame, bytes } of frames) {
      this.bytes += bytes;
      this.#rows += frame.rows;
    }
    if (this.#enough() && !this.#failure) void this.#load("large").catch(() => undefined);
  }

  /**
   * Resolves when there is room for more.
   * @throws ServiceError `unavailable` when loading fails, `queue-full` when it takes too long.
   */
  async room(): Promise<void> {
    while (this.bytes > this.#limits.backlogBytes) {
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
    if (this.bytes === 0 || this.#loading) return;
    this.#ticks++;
    if (this.#failure || this.#ticks >= PATIENCE_TICKS) await this.load();
  }

  /** Loads everything that is durable now. @throws whatever stands in its way. */
  async load(): Promise<void> {
    await this.#loading?.catch(() => undefined);
    await this.#load("all");
  }

  #load(which: "all" | "large"): Promise<void> {
    this.#loading ??= this.#loadParts(which).finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #loadParts(which: "all" | "large"): Promise<void> {
    try {
      // Not what comes in meanwhile, or a steady trickle would be loaded a few rows at a time without an end.
      const end = this.#loaded + this.#frames.length;
      while (which === "all" ? this.#loaded < end : this.#enough()) await this.#loadPart();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = error;
      this.#log("records could not be moved from the journal into the tables", {
        error: reasonOf(error),
        backlog_bytes: this.bytes,
      });
      throw error;
    } finally {
      this.#wake();
    }
  }

  async #loadPart(): Promise<void> {
    this.#ticks = 0;
    let count = 0;
    let bytes = 0;
    let rows = 0;
    for (const frame of this.#frames) {
      if (bytes >= this.#loadBytes || rows >= LOAD_ROWS) break;
      bytes += frame.bytes;
      rows += frame.frame.rows;
      count++;
    }
    const part = this.#frames.slice(0, count);
    const last = part.at(-1);
    if (!last) return;
    await this.#loader.load(
      part.map(({ frame }) => frame),
      last.position,
    );
    this.#frames = this.#frames.slice(count);
    this.#loaded += count;
    this.bytes -= bytes;
    this.#rows -= rows;
    this.#wake();
    await this.#journal.removeBefore(last.position.segment);
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
