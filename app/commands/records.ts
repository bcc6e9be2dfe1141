import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import { ServiceError } from "../../schema/errors.ts";
import { startProgress } from "../progress.ts";
import { fileBytes, type ImportSummary, sendFile } from "../send-batches.ts";
import { clientFor, newCommand, newGroup, path, print, type ServerOptions, withServer } from "./command.ts";

type Options = ServerOptions & { readonly json?: boolean };

export function recordsCommand(): Command {
  const importRecords = withServer(
    newCommand("import", {
      does: "send scoring records from an NDJSON file (.gz too, - for standard input); repeating it stores nothing twice",
      example: "leeway records import churn records.ndjson",
    }),
  )
    .argument("<model>")
    .argument("<file>")
    .action((model: string, file: string, options: Options) =>
      importFile({ what: "records", at: path`/v1/models/${model}/records`, file, options }),
    );

  const exportRecords = withServer(
    newCommand("export", {
      does: "write the records of a time, with their labels, to a Parquet file",
      example: "leeway records export churn --from 2026-11-01 --to 2026-11-08 week.parquet",
    }),
  )
    .argument("<model>")
    .argument("<file>")
    .requiredOption("--from <time>", "first event time: a date, or RFC 3339")
    .requiredOption("--to <time>", "end of the time, not in it")
    .action(exportWindow);

  return newGroup("records", "what scoring services were asked and answered", [importRecords, exportRecords]);
}

export function labelsCommand(): Command {
  const importLabels = withServer(
    newCommand("import", {
      does: "send ground truth from an NDJSON file (.gz too, - for standard input); repeating it stores nothing twice",
      example: "leeway labels import churn labels.ndjson",
    }),
  )
    .argument("<model>")
    .argument("<file>")
    .action((model: string, file: string, options: Options) =>
      importFile({ what: "labels", at: path`/v1/models/${model}/labels`, file, options }),
    );
  return newGroup("labels", "ground truth, which comes late", [importLabels]);
}

async function importFile({
  what,
  at,
  file,
  options,
}: {
  readonly what: string;
  readonly at: string;
  readonly file: string;
  readonly options: Options;
}): Promise<void> {
  const progress = startProgress(`sending ${file}`, await fileBytes(file));
  const summary = await sendFile(clientFor(options), {
    path: at,
    file,
    onProgress: (bytes, records) => progress.update(bytes, `${records} ${what}`),
  }).finally(() => progress.end());
  print(summary, options, () => describe(summary, what));
  if (summary.rejected > 0) process.exitCode = 1;
}

function describe({ received, stored, duplicates, rejected, errors }: ImportSummary, what: string): string {
  const more = rejected - errors.length;
  return [
    `${received} ${what}: ${stored} stored, ${duplicates} there already, ${rejected} rejected`,
    ...errors.map(({ line, path: at, message }) => `  line ${line}: ${at === "" ? "" : `${at} `}${message}`),
    ...(more > 0 ? [`  … and ${more} more`] : []),
  ].join("\n");
}

async function exportWindow(
  model: string,
  file: string,
  options: Options & { readonly from: string; readonly to: string },
): Promise<void> {
  const query = new URLSearchParams({ from: timeOf("--from", options.from), to: timeOf("--to", options.to) });
  const response = await clientFor(options).call({ path: `${path`/v1/models/${model}/records`}?${query}` });
  const hash = createHash("sha256");
  const total = Number(response.headers.get("content-length") ?? 0);
  const progress = startProgress(`writing ${file}`, total);
  let bytes = 0;
  const measured = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      hash.update(chunk);
      progress.update(bytes);
      done(null, chunk);
    },
  });
  const partial = `${file}.partial`;
  try {
    if (!response.body) throw new ServiceError("upstream-failed", "the server sent no file");
    await pipeline(
      Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
      measured,
      createWriteStream(partial),
    );
    const promised = response.headers.get("digest");
    if (promised !== null && promised !== `sha-256=${hash.digest("base64")}`) {
      throw new ServiceError(
        "upstream-failed",
        `${file} did not arrive whole: its SHA-256 differs, try again`,
      );
    }
    await rename(partial, file);
  } finally {
    progress.end();
    await rm(partial, { force: true });
  }
  const rows = Number(response.headers.get("x-leeway-rows") ?? 0);
  print({ file, rows, bytes }, options, () => `${file}: ${rows} records, ${bytes} bytes`);
}

/** A time as the API takes it; a date alone is its midnight in UTC. */
function timeOf(option: string, text: string): string {
  const time = new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text);
  if (Number.isNaN(time.getTime())) {
    throw new ServiceError(
      "invalid-input",
      `${option} ${text}: expected a date such as 2026-11-01, or RFC 3339`,
    );
  }
  return time.toISOString();
}
