import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Command, Option } from "commander";
import { ServiceError } from "../../schema/errors.ts";
import { startProgress } from "../progress.ts";
import { clientFor, newCommand, newGroup, path, print, type ServerOptions, withServer } from "./command.ts";
import { importCommand } from "./import.ts";

/** What the server says of an export; the whole of it goes beside the file. */
interface Manifest {
  readonly url: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

type Options = ServerOptions & { readonly json?: boolean };

export function recordsCommand(): Command {
  const exportRecords = withServer(
    newCommand("export", {
      does: "write the records of a time, with their labels, to a Parquet file, and what it holds to FILE.manifest.json",
      example: "leeway records export churn --from 2026-11-01 --to 2026-11-08 week.parquet",
    }),
  )
    .argument("<model>")
    .argument("<file>")
    .requiredOption("--from <time>", "first event time: a date, or RFC 3339")
    .requiredOption("--to <time>", "end of the time, not in it")
    .addOption(
      new Option("--form <form>", "records: columns as queries name them; training: as training data look")
        .choices(["records", "training"])
        .default("records"),
    )
    .action(exportWindow);

  return newGroup("records", "what scoring services were asked and answered", [
    importCommand("records"),
    exportRecords,
  ]);
}

export function labelsCommand(): Command {
  return newGroup("labels", "ground truth, which comes late", [importCommand("labels")]);
}

async function exportWindow(
  model: string,
  file: string,
  options: Options & { readonly from: string; readonly to: string; readonly form: string },
): Promise<void> {
  const client = clientFor(options);
  const { url, ...manifest } = await client.send<Manifest>("POST", path`/v1/models/${model}/exports`, {
    from: timeOf("--from", options.from),
    to: timeOf("--to", options.to),
    form: options.form,
  });
  const response = await client.call({ path: url });
  const hash = createHash("sha256");
  const progress = startProgress(`writing ${file}`, manifest.bytes);
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
    if (hash.digest("hex") !== manifest.sha256) {
      throw new ServiceError(
        "upstream-failed",
        `${file} did not arrive whole: its SHA-256 differs, try again`,
      );
    }
    await rename(partial, file);
    await writeFile(
      `${file}.manifest.json`,
      `${JSON.stringify({ file: basename(file), ...manifest }, null, 2)}\n`,
    );
  } finally {
    progress.end();
    await rm(partial, { force: true });
  }
  const { rows } = manifest;
  print({ ...manifest, file }, options, () => `${file}: ${rows} records, ${bytes} bytes`);
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
