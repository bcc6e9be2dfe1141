import { ServiceError } from "../schema/errors.ts";
import type { FrameLoader } from "../store/frame-loader.ts";
import type { Journal } from "../store/journal.ts";
import type { DurableFrame } from "./group-commit.ts";

/** A load begins by itself when so much is waiting: fewer, larger loads are cheaper. */
const LOAD_BYTES = 24 * 1024 * 1024;

/** What is durable in the journal and not yet in the tables. It is bounded: requests wait for room. */
export class Backlog {
  readonly #loader: FrameLoader;
  readonly #journal: Journal;
  readonly #limits: { readonly backlogBytes: number; readonly waitMs: number };
  readonly #log: (message: string, fields: object) => void;
  #frames: DurableFrame[] = [];
  #waiting: (() => void)[] = [];
  #loading: Promise<void> | undefined;
  #failure: unknown;
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
    this.#log = options.log;
  }

  add(frames: readonly DurableFrame[]): void {
    this.#frames.push(...frames);
    for (const { bytes } of frames) this.bytes += bytes;
    if (this.bytes >= LOAD_BYTES && !this.#failure) void this.#load("large").catch(() => undefined);
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
      while (this.bytes >= (which === "all" ? 1 : LOAD_BYTES)) await this.#loadPart();
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
    let count = 0;
    let bytes = 0;
    for (const frame of this.#frames) {
      if (bytes >= LOAD_BYTES) break;
      bytes += frame.bytes;
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
    this.bytes -= bytes;
    this.#wake();
    await this.#journal.removeBefore(last.position.segment);
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
