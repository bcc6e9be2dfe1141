import { stat } from "node:fs/promises";
import { type Command, Option } from "commander";
import { ServiceError } from "../../schema/errors.ts";
import type { CaptureAnswer } from "../../schema/record.ts";
import {
  type ImportFormat,
  importFormatOf,
  importFormats,
  isCsvName,
  isParquetName,
} from "../import-format.ts";
import { startProgress } from "../progress.ts";
import { fileBytes, type ImportSummary, sendFile } from "../send-batches.ts";
import { sendTable } from "../send-table.ts";
import { clientFor, newCommand, path, print, type ServerOptions, withServer } from "./command.ts";

interface Options extends ServerOptions {
  readonly json?: boolean;
  readonly format?: ImportFormat;
  readonly id?: string;
  readonly time?: string;
  readonly label?: string;
  readonly inputs?: string;
  readonly outputs?: string;
  readonly ignore?: string;
}

/** `records import` and `labels import`. */
export function importCommand(what: "records" | "labels"): Command {
  const command = withServer(
    newCommand("import", {
      does: `send ${what === "records" ? "scoring records" : "ground truth"} from files: NDJSON, CSV, Parquet, CloudEvents, captures of KServe, Azure ML and SageMaker (.gz too, - for standard input); repeating it stores nothing twice`,
      example:
        what === "records"
          ? "leeway records import churn records.ndjson\nleeway records import churn --outputs score history.csv\nleeway records import churn model_inputs.jsonl model_outputs.jsonl"
          : "leeway labels import churn labels.ndjson",
    }),
  )
    .argument("<model>")
    .argument("<file...>")
    .addOption(
      new Option(
        "--format <format>",
        "what the files are, when their names and first lines do not tell",
      ).choices(importFormats),
    )
    .option(
      "--id <column>",
      "column of a table that holds the id (id or record_id when absent), or output or input of a capture that does",
    )
    .option("--time <column>", "column of a table that holds the time (time when absent)")
    .option("--label <column>", "column of a table that holds ground truth (label when absent)");
  if (what === "records") {
    command
      .option("--inputs <names>", "input columns of a table, or names for inputs that have none, with commas")
      .option("--outputs <names>", "the same for outputs")
      .option("--ignore <names>", "columns of a table to leave out");
  }
  return command.action((model: string, files: readonly string[], options: Options) =>
    importFiles({ what, model, files, options }),
  );
}

async function importFiles({
  what,
  model,
  files,
  options,
}: {
  readonly what: "records" | "labels";
  readonly model: string;
  readonly files: readonly string[];
  readonly options: Options;
}): Promise<void> {
  for (const file of files) await fileBytes(file); // named now, not when the ones before it are sent
  const summaries: ImportSummary[] = [];
  for (const file of files) {
    const summary = await importFile({ what, model, file, options });
    summaries.push(summary);
    const name = files.length > 1 ? `${file}: ` : "";
    if (!options.json) print(summary, options, () => `${name}${describe(summary, what)}`);
    if (summary.rejected > 0) process.exitCode = 1;
  }
  if (options.json) {
    const all = files.map((file, at) => ({ file, ...summaries[at] }));
    print(all.length === 1 ? summaries[0] : all, options, () => "");
  }
}

async function importFile({
  what,
  model,
  file,
  options,
}: {
  readonly what: "records" | "labels";
  readonly model: string;
  readonly file: string;
  readonly options: Options;
}): Promise<ImportSummary> {
  const format = options.format ?? (await importFormatOf(file));
  const client = clientFor(options);
  const progress = startProgress(`sending ${file}`, await fileBytes(file));
  const own = what === "records" ? path`/v1/models/${model}/records` : path`/v1/models/${model}/labels`;
  try {
    if (format === "csv" || format === "parquet") {
      const at = withQuery(own, options, ["id", "time", "label", "inputs", "outputs", "ignore"]);
      const onProgress = (bytes: number) => progress.update(bytes);
      const { errors, ...counts } = await sendTable(client, { path: at, file, format, onProgress });
      return { ...counts, errors: errors.map(({ index, ...error }) => ({ row: index + 1, ...error })) };
    }
    const at =
      format === "records"
        ? own
        : withQuery(await capturePath({ format, what, model, file }), options, CAPTURE_OPTIONS[what]);
    const table = isCsvName(file) ? "csv" : isParquetName(file) ? "parquet" : undefined;
    if (format !== "records" && table) {
      const onProgress = (bytes: number) => progress.update(bytes);
      const answer = (await sendTable(client, {
        ...{ path: at, file, format: table },
        onProgress,
      })) as CaptureAnswer;
      return tableSummary(answer);
    }
    return await sendFile(client, {
      path: at,
      file,
      onProgress: (bytes, records) => progress.update(bytes, `${records} ${what}`),
    });
  } finally {
    progress.end();
  }
}

/** Where the file goes, with what only its name and date tell. */
async function capturePath({
  format,
  what,
  model,
  file,
}: {
  readonly format: "cloudevents" | "kserve" | "azureml" | "sagemaker";
  readonly what: "records" | "labels";
  readonly model: string;
  readonly file: string;
}): Promise<string> {
  const query = new URLSearchParams({ model });
  if (format === "kserve" && file !== "-") query.set("at", (await stat(file)).mtime.toISOString());
  if (format === "azureml" && what === "labels") query.set("collection", "labels");
  else if (format === "azureml" && isCsvName(file)) query.set("collection", collectionOf(file));
  return `${format === "cloudevents" ? "/v1/events-in" : `/v1/capture/${format}`}?${query}`;
}

/** What of the options a capture of another system may need. */
const CAPTURE_OPTIONS = { records: ["id", "inputs", "outputs"], labels: ["label", "time"] } as const;

/** Azure ML's first data collector has the side of a call in the path only. */
function collectionOf(file: string): string {
  const found = [...file.matchAll(/inputs|predictions|labels/g)].at(-1)?.[0];
  if (found !== undefined) return found;
  throw new ServiceError(
    "invalid-input",
    `the path of ${file} says neither inputs nor predictions nor labels, which is how they are told apart: name the file inputs.csv, predictions.csv or labels.csv`,
  );
}

/** Lines are counted with the header. */
function tableSummary({ errors, notes, events: _, ...counts }: CaptureAnswer): ImportSummary {
  return {
    ...counts,
    errors: errors.map(({ index, ...error }) => ({ line: index + 2, ...error })),
    notes: notes.map(({ index, note }) => ({ line: index + 2, note })),
  };
}

function withQuery(at: string, options: Options, names: readonly (keyof Options)[]): string {
  const query = new URLSearchParams();
  for (const name of names) {
    const value = options[name];
    if (typeof value === "string") query.set(name, value);
  }
  if (query.size === 0) return at;
  return `${at}${at.includes("?") ? "&" : "?"}${query}`;
}

function describe(summary: ImportSummary, what: string): string {
  const { received, stored, duplicates, rejected, errors, notes = [] } = summary;
  const { waiting = 0, repeated = 0, ignored = 0 } = summary;
  const sampled = summary.sampled_out ? `, ${summary.sampled_out} not in the sample` : "";
  const more = rejected - errors.length;
  const halves = waiting > 0 ? `, ${waiting} halves of calls wait for the other half` : "";
  const again = repeated > 0 ? `, ${repeated} halves there already` : "";
  const others = ignored > 0 ? `, ${ignored} events of another kind ignored` : "";
  return [
    `${received} ${what}: ${stored} stored, ${duplicates} there already, ${rejected} rejected${sampled}${halves}${again}${others}`,
    ...errors.map(({ line, row, path: at, message }) => {
      const place = line === undefined ? `row ${row}` : `line ${line}`;
      return `  ${place}: ${at === "" ? "" : `${at} `}${message}`;
    }),
    ...(more > 0 ? [`  … and ${more} more`] : []),
    ...notes.map(({ line, note }) => `  line ${line}: ${note}`),
  ].join("\n");
}
