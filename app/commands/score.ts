import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import type { ScoringReport } from "../../deployer/batch/score-file.ts";
import { allottedProcessors, threadsFor } from "../../deployer/replica/allotted-processors.ts";
import { ServiceError } from "../../schema/errors.ts";
import { startProgress } from "../progress.ts";
import { sendTable } from "../send-table.ts";
import { versionJob } from "../version-job.ts";
import { clientFor, newCommand, path, print, type ServerOptions, withServer } from "./command.ts";

interface Options extends ServerOptions {
  readonly json?: boolean;
  readonly columns?: string;
  readonly threads?: string;
  readonly overwrite?: boolean;
  readonly capture?: boolean;
  readonly id?: string;
  readonly time?: string;
}

export function scoreCommand(): Command {
  return withServer(
    newCommand("score", {
      does: "score the rows of a file and write them with their predictions beside them; ended half way, it goes on where it was",
      example: `leeway score churn@champion customers.parquet scored.parquet
leeway score churn:3 customers.csv scored.csv --capture --id customer
leeway score model.onnx rows.ndjson scored.ndjson --columns age,income`,
    }),
  )
    .argument("<model>", "NAME (the newest version), NAME:VERSION, NAME@ALIAS, or a file that ends in .onnx")
    .argument("<input>", "CSV, Parquet or NDJSON")
    .argument("<output>", "CSV, Parquet or NDJSON, by its name")
    .option("--columns <names>", "columns in the model's order, when it does not name them")
    .option("--threads <count>", "threads, each with the model loaded; one per processor when absent")
    .option("--overwrite", "replace an output that is there")
    .option("--capture", "send rows and predictions to the collector too (CSV and Parquet)")
    .option("--id <column>", "with --capture: column that holds the id")
    .option("--time <column>", "with --capture: column that holds the time")
    .action(score);
}

async function score(written: string, input: string, output: string, options: Options): Promise<void> {
  // Loaded when it runs: every command would bring DuckDB along, the sidecar too.
  const [{ scoreFile }, { scoringModel }] = await Promise.all([
    import("../../deployer/batch/score-file.ts"),
    import("../scoring-model.ts"),
  ]);
  const client = clientFor(options);
  const format = /\.parquet$/i.test(output) ? "parquet" : /\.csv(\.gz)?$/i.test(output) ? "csv" : undefined;
  if (options.capture && (!format || /\.onnx$/i.test(written)))
    throw new ServiceError(
      "invalid-input",
      "--capture takes a registered model and an output that ends in .csv or .parquet",
    );
  const folder = mkdtempSync(join(tmpdir(), "leeway-score-"));
  const job = versionJob("batch scoring");
  try {
    const model = await scoringModel(written, { client, folder, job });
    const started = performance.now();
    const progress = startProgress(`scoring with ${model.label}`, 1);
    let first: number | undefined;
    const report = await scoreFile({
      input,
      output,
      model,
      columns: options.columns?.split(",").map((name) => name.trim()),
      threads: threadsOf(options.threads),
      existing: options.overwrite ? "replace" : "refuse",
      onProgress: (rows, of) => {
        first ??= rows;
        progress.update(rows / of, note(rows, of, (rows - first) / (performance.now() - started)));
      },
    }).finally(() => progress.end());
    const seconds = (performance.now() - started) / 1000;
    const rate = Math.round((report.rows - report.resumed_rows) / seconds);
    const captured =
      options.capture && format && model.model !== undefined
        ? await sendTable(client, { path: captureTo(model.model, report, options), file: output, format })
        : undefined;
    const all = {
      ...report,
      model: model.label,
      seconds: Math.round(seconds * 1000) / 1000,
      rows_per_second: rate,
    };
    print({ ...all, ...(captured ? { captured } : {}) }, options, () => describe(all, captured));
    if (captured && captured.rejected > 0) process.exitCode = 1;
  } finally {
    await job.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

function threadsOf(text: string | undefined): number {
  if (text === undefined) return threadsFor(allottedProcessors());
  const threads = Number(text);
  if (Number.isInteger(threads) && threads >= 1 && threads <= 256) return threads;
  throw new ServiceError("invalid-input", `--threads ${text}: expected a whole number from 1 to 256`);
}

function note(rows: number, of: number, rowsPerMs: number): string {
  if (!(rowsPerMs > 0)) return `${rows} of ${of} rows`;
  const left = Math.ceil((of - rows) / rowsPerMs / 1000);
  return `${rows} of ${of} rows, ${Math.round(rowsPerMs * 1000)} a second, ${left} s left`;
}

function captureTo(model: string, report: ScoringReport, { id, time }: Options): string {
  const query = new URLSearchParams({
    inputs: report.input_columns.join(","),
    outputs: report.prediction_columns.join(","),
    ...(id === undefined ? {} : { id }),
    ...(time === undefined ? {} : { time }),
  });
  return `${path`/v1/models/${model}/records`}?${query}`;
}

function describe(
  report: ScoringReport & { readonly seconds: number; readonly rows_per_second: number },
  captured: { readonly stored: number; readonly duplicates: number; readonly rejected: number } | undefined,
): string {
  const resumed = report.resumed_rows > 0 ? `, of which ${report.resumed_rows} had been scored before` : "";
  const lines = [
    `${report.output}: ${report.rows} rows${resumed}, with ${report.prediction_columns.join(", ")} (${report.seconds.toFixed(1)} s)`,
  ];
  if (captured)
    lines.push(
      `collected: ${captured.stored} stored, ${captured.duplicates} duplicates, ${captured.rejected} rejected`,
    );
  return lines.join("\n");
}
