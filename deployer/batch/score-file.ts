import { EventEmitter, once } from "node:events";
import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { ServiceError } from "../../schema/errors.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import { formOf, openScoringTable, type ScoringTable } from "../../store/scoring-table.ts";
import { type MappedInput, mapColumns } from "./map-columns.ts";
import { PartThread } from "./part-thread.ts";
import { readParts } from "./read-parts.ts";
import { ScoredParts } from "./scored-parts.ts";

/** Rows that are kept or lost together when a run is ended: enough parts for the threads, none of them large. */
const MOST_PART_ROWS = 131_072;
const PARTS = 16;
const MOST_PART_VALUES = 2 ** 20;
/** Being scored, waiting to be, and on their way to the disk: fewer would leave a thread without work while parts are made durable. */
const PARTS_AT_A_THREAD = 4;
/** Parts are made of so many rows, which a model scores at once. */
const PART_STEP_ROWS = 4_096;

export interface ScoringJob {
  readonly input: string;
  readonly output: string;
  readonly model: { readonly file: string; readonly sha256: string; readonly signature: ModelSignature };
  /** Columns for a model of one matrix, in its order; found by their names when absent. */
  readonly columns?: readonly string[] | undefined;
  /** Threads, each with the model loaded. */
  readonly threads: number;
  /** What becomes of an output that is there already. */
  readonly existing: "refuse" | "replace";
  readonly partRows?: number;
  /** Rows that are done, of all. */
  readonly onProgress?: (rows: number, of: number) => void;
}

export interface ScoringReport {
  readonly output: string;
  readonly rows: number;
  /** Rows that an earlier run had scored. */
  readonly resumed_rows: number;
  readonly input_columns: readonly string[];
  readonly prediction_columns: readonly string[];
}

/**
 * Scores the rows of a CSV, Parquet or NDJSON file and writes them, with the predictions beside them, to another.
 *
 * The output is there whole or not at all. A run that was ended at any moment is gone on with by the next over the same
 * input with the same model: no row is left out or written twice.
 *
 * @throws ServiceError `invalid-input`, `not-found` or `conflict`, naming file, column and the way out; `upstream-failed`
 *   in the runtime's words when the model fails.
 */
export async function scoreFile(job: ScoringJob): Promise<ScoringReport> {
  const { input, output, model } = job;
  formOf(output);
  if (existsSync(output) && job.existing === "refuse")
    throw new ServiceError("conflict", `${output} is there already: remove it, or say --overwrite`);
  const table = await openScoringTable(input);
  const partial = `${output}.partial`;
  let run: ScoringRun | undefined;
  try {
    if (table.rows === 0) throw new ServiceError("invalid-input", `${input} has no rows`);
    const inputs = mapColumns(model.signature, table.columns, job.columns);
    const columns = inputs.flatMap((each) => each.columns);
    const partRows = job.partRows ?? partRowsFor(table.rows, columns.length);
    const groups = table.groupsBeside(output);
    const { size, mtimeMs } = statSync(input);
    const plan = {
      input_bytes: size,
      input_modified_ms: mtimeMs,
      rows: table.rows,
      model_sha256: model.sha256,
      columns,
      part_rows: partRows,
      pages: groups ? "by row group" : "by part",
    };
    const parts = await ScoredParts.open(`${output}.scoring`, plan, Math.ceil(table.rows / partRows));
    run = new ScoringRun(job, { table, inputs, parts, partRows, groups });
    await run.scoreAnd((written) => table.writeBeside(written, partial));
    const names = await table.columnsOf(parts.pathOf(0)); // there are rows
    renameSync(partial, output);
    parts.remove();
    return {
      output,
      rows: table.rows,
      resumed_rows: run.resumedRows,
      input_columns: columns,
      prediction_columns: names,
    };
  } finally {
    await run?.closed;
    rmSync(partial, { force: true });
    table.close();
  }
}

interface Inside {
  readonly table: ScoringTable;
  readonly inputs: readonly MappedInput[];
  readonly parts: ScoredParts;
  readonly partRows: number;
  /** Rows after which a page ends; undefined when that does not matter. */
  readonly groups: readonly number[] | undefined;
}

/** Rows of a part: the same for a file and a model, whatever goes on with a run. */
function partRowsFor(rows: number, columns: number): number {
  const wanted = Math.min(rows / PARTS, MOST_PART_ROWS, MOST_PART_VALUES / Math.max(1, columns));
  return Math.max(1, Math.ceil(wanted / PART_STEP_ROWS)) * PART_STEP_ROWS;
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
class ScoringRun {
  readonly #job: ScoringJob;
  readonly #inside: Inside;
  readonly #underWay = new Set<Promise<void>>();
  /** Tells `changed` when a part is written, and when none will be any more. */
  readonly #events = new EventEmitter();
  #failure: unknown;
  #done = 0;
  resumedRows = 0;
  /** The threads' end, which nobody has to wait for before what they wrote is used. */
  closed: Promise<unknown> = Promise.resolve();

  constructor(job: ScoringJob, inside: Inside) {
    this.#job = job;
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
    const threads = this.#start(Math.min(this.#job.threads, missing.length));
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
    const { model } = this.#job;
    const { inputs, table } = this.#inside;
    const start = { modelFile: model.file, signature: model.signature, inputs, taken: table.columns };
    return Array.from({ length: count }, () => new PartThread(start, (rows) => this.#tell(rows)));
  }

  #tell(rows: number): void {
    this.#done += rows;
    this.#job.onProgress?.(this.#done, this.#inside.table.rows);
  }
}
