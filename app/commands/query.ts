import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { ServiceError } from "../../schema/errors.ts";
import { clientFor, newCommand, type ServerOptions, withServer } from "./command.ts";

const TYPES = {
  table: "application/json",
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv",
  parquet: "application/vnd.apache.parquet",
} as const;

/** Rows of a table when the caller names no limit: more than one looks through. */
const TABLE_ROWS = 1_000;
const CELL_CHARACTERS = 60;

interface Options extends ServerOptions {
  readonly json?: boolean;
  readonly format?: keyof typeof TYPES;
  readonly output?: string;
  readonly limit?: number;
  readonly timeout?: number;
}

interface Answer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly truncated: boolean;
}

export function queryCommand(): Command {
  return withServer(
    newCommand("query", {
      does: "read-only SQL over what was collected; each model is a view of its name",
      example: 'leeway query "select version, count(*) from churn group by all"',
    }),
  )
    .argument("<sql>", "one SELECT, or - to read it from standard input")
    .addOption(
      new Option("--format <form>", "table, json, ndjson, csv or parquet").choices(Object.keys(TYPES)),
    )
    .option("--output <file>", "file to write the answer to, instead of standard output")
    .option("--limit <rows>", "most rows of the answer", positive)
    .option("--timeout <seconds>", "how long the query may take", positive)
    .action(runQuery);
}

async function runQuery(argument: string, options: Options): Promise<void> {
  const format = options.format ?? (options.json ? "json" : "table");
  const { output } = options;
  if (format === "parquet" && output === undefined && process.stdout.isTTY) {
    throw new ServiceError("invalid-input", "Parquet is not for the screen: name a file with --output");
  }
  const sql = argument === "-" ? await text(process.stdin) : argument;
  const limit = options.limit ?? (format === "table" ? TABLE_ROWS : undefined);
  const response = await clientFor(options).call({
    method: "POST",
    path: "/v1/query",
    headers: { "content-type": "application/json", accept: TYPES[format] },
    body: JSON.stringify({ sql, row_limit: limit, time_limit_seconds: options.timeout }),
  });
  if (format === "table" || format === "json") {
    const raw = await response.text();
    const answer = JSON.parse(raw) as Answer; // the server's promise
    await write(Readable.from([format === "json" ? raw : `${tableOf(answer)}\n`]), output);
    if (answer.truncated) {
      process.stderr.write(`only the first ${answer.rows.length} rows are shown: --limit takes more\n`);
    }
    return;
  }
  if (!response.body) throw new ServiceError("upstream-failed", "the server sent no answer");
  await write(Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]), output);
}

/** A file appears under its name only when it is whole. */
async function write(source: Readable, output: string | undefined): Promise<void> {
  if (output === undefined) {
    for await (const part of source) process.stdout.write(part);
    return;
  }
  const partial = `${output}.partial`;
  try {
    await pipeline(source, createWriteStream(partial));
    await rename(partial, output);
  } finally {
    await rm(partial, { force: true });
  }
}

function tableOf({ columns, rows }: Answer): string {
  const cells = rows.map((row) => row.map(cellOf));
  const titles = columns.map(({ name }) => clip(name));
  const widths = titles.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const right = columns.map((_, i) => rows.some((row) => typeof row[i] === "number"));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (right[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  const count = `(${rows.length} ${rows.length === 1 ? "row" : "rows"})`;
  return [line(titles), rule, ...cells.map(line), count].join("\n");
}

function cellOf(value: unknown): string {
  if (value === null) return "";
  return clip(typeof value === "string" ? value : JSON.stringify(value));
}

/** Short, and without what a terminal would act on. */
function clip(written: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  const plain = written.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "\ufffd");
  return plain.length > CELL_CHARACTERS ? `${plain.slice(0, CELL_CHARACTERS - 1)}…` : plain;
}

function positive(written: string): number {
  const value = Number(written);
  if (!(value > 0)) throw new InvalidArgumentError("expected a number above 0");
  return value;
}
