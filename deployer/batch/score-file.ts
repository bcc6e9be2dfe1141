import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { ServiceError } from "../../schema/errors.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import { formOf, openScoringTable, type ScoringTable } from "../../store/scoring-table.ts";
import { takesBatches } from "../onnx/example-input.ts";
import { tensorOf } from "../onnx/raw-tensor.ts";
import { ModelThread } from "../replica/model-thread.ts";
import { type MappedInput, mapColumns } from "./map-columns.ts";
import { PredictionColumns } from "./prediction-columns.ts";
import { type RowBatch, readBatches } from "./read-batches.ts";
import { ScoredParts } from "./scored-parts.ts";

/** Rows that are kept or lost together when a run is ended. */
const PART_ROWS = 131_072;
const BATCH_ROWS = 4_096;

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
  try {
    if (table.rows === 0) throw new ServiceError("invalid-input", `${input} has no rows`);
    const inputs = mapColumns(model.signature, table.columns, job.columns);
    const partRows = job.partRows ?? PART_ROWS;
    const { size, mtimeMs } = statSync(input);
    const columns = inputs.flatMap((each) => each.columns);
    const plan = {
      input_bytes: size,
      input_modified_ms: mtimeMs,
      rows: table.rows,
      model_sha256: model.sha256,
      columns,
      part_rows: partRows,
    };
    const parts = await ScoredParts.open(`${output}.scoring`, plan, Math.ceil(table.rows / partRows));
    const run = new ScoringRun(job, { table, inputs, parts, partRows });
    await run.scoreAll();
    const names = await table.columnsOf(parts.files[0] as string); // there are rows
    await table.writeBeside(parts.files, `${output}.partial`);
    renameSync(`${output}.partial`, output);
    parts.remove();
    return {
      output,
      rows: table.rows,
      resumed_rows: run.resumedRows,
      input_columns: columns,
      prediction_columns: names,
    };
  } finally {
    rmSync(`${output}.partial`, { force: true });
    table.close();
  }
}

interface Inside {
  readonly table: ScoringTable;
  readonly inputs: readonly MappedInput[];
  readonly parts: ScoredParts;
  readonly partRows: number;
}

interface OpenPart {
  readonly predictions: PredictionColumns;
  left: number;
}

/** One run over a table: batches go to the threads as these are free, and what comes back goes to its place. */
class ScoringRun {
  readonly #job: ScoringJob;
  readonly #inside: Inside;
  readonly #open = new Map<number, OpenPart>();
  readonly #underWay = new Set<Promise<void>>();
  #failure: unknown;
  #done = 0;
  resumedRows = 0;

  constructor(job: ScoringJob, inside: Inside) {
    this.#job = job;
    this.#inside = inside;
  }

  async scoreAll(): Promise<void> {
    const { table, inputs, parts, partRows } = this.#inside;
    const { model, threads } = this.#job;
    const there = parts.files.map((_, part) => parts.has(part));
    there.forEach((has, part) => {
      if (has) this.resumedRows += this.#rowsOf(part);
    });
    this.#tell(this.resumedRows);
    const batchRows = takesBatches(model.signature.inputs) ? BATCH_ROWS : 1;
    const loaded = there.every(Boolean)
      ? []
      : await Promise.all(
          Array.from({ length: threads }, () => ModelThread.start({ modelFile: model.file, threads: 1 })),
        );
    try {
      const wanted = (part: number) => there[part] === false;
      for await (const batch of readBatches(table, inputs, { batchRows, partRows, wanted })) {
        if (this.#failure) break;
        const thread = loaded.reduce((free, each) => (each.waiting < free.waiting ? each : free));
        const scored = this.#score(batch, thread).catch((error: unknown) => {
          this.#failure ??= error;
        });
        this.#underWay.add(scored);
        void scored.then(() => this.#underWay.delete(scored));
        if (this.#underWay.size >= threads * 3) await Promise.race(this.#underWay);
      }
      await Promise.all(this.#underWay);
    } finally {
      await Promise.all(loaded.map((thread) => thread.close()));
    }
    if (this.#failure) throw this.#failure;
  }

  async #score({ from, rows, inputs }: RowBatch, thread: ModelThread): Promise<void> {
    const { parts, partRows, table } = this.#inside;
    const { model } = this.#job;
    const { outputs } = await thread.run(inputs, "given").catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ServiceError("upstream-failed", `rows ${from} to ${from + rows - 1}: ${reason}`, {
        cause: error,
      });
    });
    const part = Math.floor(from / partRows);
    let open = this.#open.get(part);
    if (!open) {
      const all = this.#rowsOf(part);
      open = { predictions: new PredictionColumns(all, model.signature, table.columns), left: all };
      this.#open.set(part, open);
    }
    open.predictions.put(outputs.map(tensorOf), from - part * partRows, rows);
    open.left -= rows;
    if (open.left === 0) {
      this.#open.delete(part);
      await parts.write(part, open.predictions.frame());
    }
    this.#tell(rows);
  }

  #rowsOf(part: number): number {
    const { table, partRows } = this.#inside;
    return Math.min(partRows, table.rows - part * partRows);
  }

  #tell(rows: number): void {
    this.#done += rows;
    this.#job.onProgress?.(this.#done, this.#inside.table.rows);
  }
}
