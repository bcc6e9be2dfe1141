import { EventEmitter, once } from "node:events";
import type { ModelSignature } from "../../schema/signature.ts";
import type { ScoringTable } from "../../store/scoring-table.ts";
import type { MappedInput } from "./map-columns.ts";
import { PartThread } from "./part-thread.ts";
import { readParts } from "./read-parts.ts";
import type { ScoredParts } from "./scored-parts.ts";

/** Being scored, waiting to be, and on their way to the disk: fewer would leave a thread without work while parts are made durable. */
const PARTS_AT_A_THREAD = 4;

interface RunOptions {
  readonly model: { readonly file: string; readonly signature: ModelSignature };
  readonly threads: number;
  readonly onProgress?: (rows: number, of: number) => void;
}

interface Inside {
  readonly table: ScoringTable;
  readonly inputs: readonly MappedInput[];
  readonly parts: ScoredParts;
  readonly partRows: number;
  /** Rows after which a page ends; undefined when that does not matter. */
  readonly groups: readonly number[] | undefined;
}

/**
 * How many of the rows `[from, from + rows)` are in each of the groups that they reach into.
 * @param groups - Rows of each group, all of them one after the other.
 */
function rowsWithin(
  groups: readonly number[],
  { from, rows }: { readonly from: number; readonly rows: number },
): readonly number[] {
  let start = 0;
  return groups.flatMap((length) => {
    const within = Math.min(start + length, from + rows) - Math.max(start, from);
    start += length;
    return within > 0 ? [within] : [];
  });
}

/** One run over a table: its parts go to the threads as these are free. */
export class ScoringRun {
  readonly #options: RunOptions;
  readonly #inside: Inside;
  readonly #underWay = new Set<Promise<void>>();
  /** Tells `changed` when a part is written, and when none will be any more. */
  readonly #events = new EventEmitter();
  #failure: unknown;
  #done = 0;
  resumedRows = 0;
  /** The threads' end, which nobody has to wait for before what they wrote is used. */
  closed: Promise<unknown> = Promise.resolve();

  constructor(options: RunOptions, inside: Inside) {
    this.#options = options;
    this.#inside = inside;
  }

  /**
   * Scores all parts, and does with their files what `use` says. When one of the two fails the other ends, too.
   * @param use - Is given the files in their order, each as soon as it is written.
   */
  async scoreAnd(use: (written: AsyncGenerator<string>) => Promise<void>): Promise<void> {
    const fail = (error: unknown) => this.#fail(error);
    await Promise.all([this.#scoreAll().catch(fail), use(this.#written()).catch(fail)]);
    if (this.#failure) throw this.#failure;
  }

  async *#written(): AsyncGenerator<string> {
    const { parts } = this.#inside;
    for (let part = 0; part < parts.count; part++) {
      while (!parts.has(part)) {
        if (this.#failure) throw this.#failure;
        await once(this.#events, "changed");
      }
      yield parts.pathOf(part);
    }
  }

  async #scoreAll(): Promise<void> {
    const { table, inputs, parts, partRows, groups } = this.#inside;
    const all = Array.from({ length: parts.count }, (_, part) => part);
    const missing = all.filter((part) => !parts.has(part));
    const rowsLeft = missing.reduce((sum, part) => sum + Math.min(partRows, table.rows - part * partRows), 0);
    this.resumedRows = table.rows - rowsLeft;
    this.#tell(this.resumedRows);
    const threads = this.#start(Math.min(this.#options.threads, missing.length));
    if (threads.length === 0) return;
    try {
      const left = new Set(missing);
      for await (const part of readParts(table, inputs, { partRows, wanted: (each) => left.has(each) })) {
        if (this.#failure) break;
        const thread = threads.reduce((free, each) => (each.waiting < free.waiting ? each : free));
        const pageRows = groups ? rowsWithin(groups, part) : [part.rows];
        const toScore = { ...part, pageRows, path: parts.pathOf(part.part) };
        const scored = thread.score(toScore).then(
          () => void this.#events.emit("changed"),
          (error: unknown) => this.#fail(error),
        );
        this.#underWay.add(scored);
        void scored.then(() => this.#underWay.delete(scored));
        if (this.#underWay.size >= threads.length * PARTS_AT_A_THREAD) await Promise.race(this.#underWay);
      }
      await Promise.all(this.#underWay);
    } catch (error) {
      this.#fail(error); // before the threads are closed, who then fail too
    } finally {
      this.closed = Promise.all(threads.map((thread) => thread.close()));
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#events.emit("changed");
  }

  #start(count: number): PartThread[] {
    const { model } = this.#options;
    const { inputs, table } = this.#inside;
    const start = { modelFile: model.file, signature: model.signature, inputs, taken: table.columns };
    return Array.from({ length: count }, () => new PartThread(start, (rows) => this.#tell(rows)));
  }

  #tell(rows: number): void {
    this.#done += rows;
    this.#options.onProgress?.(this.#done, this.#inside.table.rows);
  }
}
