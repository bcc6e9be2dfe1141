import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { ServiceError } from "../../schema/errors.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import { formOf, openScoringTable } from "../../store/scoring-table.ts";
import { mapColumns } from "./map-columns.ts";
import { ScoredParts } from "./scored-parts.ts";
import { ScoringRun } from "./scoring-run.ts";

/** Rows that are kept or lost together when a run is ended: enough parts for the threads, none of them large. */
const MOST_PART_ROWS = 131_072;
const PARTS = 16;
const MOST_PART_VALUES = 2 ** 20;
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

/** Rows of a part: the same for a file and a model, whatever goes on with a run. */
function partRowsFor(rows: number, columns: number): number {
  const wanted = Math.min(rows / PARTS, MOST_PART_ROWS, MOST_PART_VALUES / Math.max(1, columns));
  return Math.max(1, Math.ceil(wanted / PART_STEP_ROWS)) * PART_STEP_ROWS;
}
