import { scheduler } from "node:timers/promises";
import { encodeFrame, type Frame } from "../store/frame.ts";
import type { Journal, JournalPosition } from "../store/journal.ts";
import type { Rows } from "./rows.ts";
import type { SpareMemory } from "./spare-memory.ts";

/** A frame that is durable, and where in the journal it ends. */
export interface DurableFrame {
  readonly frame: Frame;
  readonly position: JournalPosition;
  /** The memory that the frame lies in. */
  readonly bytes: Buffer;
}

/** Rows of a frame in which at most so many are gathered. */
const FRAME_ROWS = 8_192;
/** Requests that are enough for a group. */
const GROUP_REQUESTS = 64;

/**
 * Makes rows durable in groups: while groups are on their way to the disk the next one gathers, so that a hundred
 * requests cost few disk writes, and a lone request waits for nobody. Two groups are on their way at a time: with one,
 * all clients would wait for the same write, and the service for all of them.
 */
export class GroupCommit {
  readonly #journal: Journal;
  readonly #memory: SpareMemory;
  readonly #coming: () => number;
  readonly #onDurable: (frames: readonly DurableFrame[]) => void;
  readonly #onFailed: (frames: readonly Frame[]) => void;
  readonly #open = new Set<Rows>();
  #sealed: { readonly frame: Frame; readonly bytes: Buffer }[] = [];
  #lastButOne: Promise<void> = Promise.resolve();
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  /** Requests that wait for the next group. */
  #waiting = 0;
  /** How many groups have failed, and why the last one did. */
  failures = 0;
  lastFailure: unknown;

  constructor(options: {
    readonly journal: Journal;
    readonly memory: SpareMemory;
    /** Requests that have been read and are about to be taken. */
    readonly coming: () => number;
    readonly onDurable: (frames: readonly DurableFrame[]) => void;
    /** Called before any of the group's requests learns of it. */
    readonly onFailed: (frames: readonly Frame[]) => void;
  }) {
    this.#journal = options.journal;
    this.#memory = options.memory;
    this.#coming = options.coming;
    this.#onDurable = options.onDurable;
    this.#onFailed = options.onFailed;
  }

  /** Rows gathered and not yet durable, without those being written at the moment. */
  get gathering(): number {
    let rows = 0;
    for (const open of this.#open) rows += open.rows;
    return rows + this.#sealed.reduce((sum, { frame }) => sum + frame.rows, 0);
  }

  /** Notes that rows were appended; closes their frame when it is full. */
  appended(rows: Rows): "gathering" | "frame-full" {
    this.#open.add(rows);
    if (rows.rows < FRAME_ROWS) return "gathering";
    this.#seal(rows);
    return "frame-full";
  }

  /**
   * Resolves when everything appended so far has been tried: with those before it, group by group. Whether it failed
   * is told by `failures`, which has grown then.
   *
   * @param requests - How many wait for it.
   */
  commit(requests = 1): Promise<void> {
    this.#waiting += requests;
    this.#next ??= this.#lastButOne.then(async () => {
      await this.#gather();
      this.#next = undefined;
      const before = this.#last;
      this.#lastButOne = before;
      this.#last = this.#writeGroup(before);
      return this.#last;
    });
    return this.#next;
  }

  /** Waits while every turn of the event loop brings further requests: to write them one by one would cost more. */
  async #gather(): Promise<void> {
    let before: number;
    do {
      before = this.#waiting;
      await scheduler.yield();
    } while ((this.#waiting > before || this.#coming() > 0) && this.#waiting < GROUP_REQUESTS);
    this.#waiting = 0;
  }

  async #writeGroup(before: Promise<void>): Promise<void> {
    for (const rows of this.#open) this.#seal(rows);
    const group = this.#sealed;
    this.#sealed = [];
    if (group.length === 0) return before;
    try {
      const positions = await this.#journal.append(group.map(({ bytes }) => bytes));
      await before; // the backlog is told in the journal's order
      this.#onDurable(
        group.map(({ frame, bytes }, i) => ({
          frame,
          bytes,
          position: positions[i] as JournalPosition, // one for each frame
        })),
      );
    } catch (error) {
      await before;
      this.#onFailed(group.map(({ frame }) => frame));
      this.failures++;
      this.lastFailure = error;
    }
  }

  #seal(rows: Rows): void {
    this.#open.delete(rows);
    if (rows.rows === 0) return;
    this.#sealed.push(encodeFrame(rows.finish(), (bytes) => this.#memory.take(bytes)));
    rows.reset();
  }
}
