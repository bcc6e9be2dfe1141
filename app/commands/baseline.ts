import { createReadStream } from "node:fs";
import { extname } from "node:path";
import { Readable } from "node:stream";
import type { Command } from "commander";
import { ServiceError } from "../../schema/errors.ts";
import { startProgress } from "../progress.ts";
import { fileBytes } from "../send-batches.ts";
import { clientFor, newCommand, newGroup, path, print, type ServerOptions, withServer } from "./command.ts";

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".parquet": "application/vnd.apache.parquet",
  ".ndjson": "application/x-ndjson",
  ".jsonl": "application/x-ndjson",
};

interface BaselineAnswer {
  readonly rows: number;
  readonly time_column: string | null;
  readonly dataset_hash: string;
  readonly columns: readonly { readonly name: string; readonly role: string; readonly type: string }[];
}

export function baselineCommand(): Command {
  const create = withServer(
    newCommand("create", {
      does: "make a version's baseline from its training data (CSV, Parquet, NDJSON)",
      example: "leeway baseline create churn 3 train.parquet --time-column event_time --label churned",
    }),
  )
    .argument("<model>")
    .argument("<version>")
    .argument("<file>")
    .option("--time-column <name>", "column that says when; found by itself when absent, `none` for none")
    .option("--label <name>", "column that holds the ground truth")
    .option("--prediction <names>", "column(s) that hold what the model answered, separated by commas")
    .option("--ignore <names>", "column(s) that are no features, separated by commas")
    .option(
      "--types <list>",
      "types to take instead of those found, such as weekday=categorical,id=categorical",
    )
    .action(async (model: string, version: string, file: string, options: Options) => {
      const contentType = CONTENT_TYPES[extname(file).toLowerCase()];
      if (!contentType) {
        throw new ServiceError(
          "invalid-input",
          `${file} ends with none of ${Object.keys(CONTENT_TYPES).join(", ")}: rename it by what it holds`,
        );
      }
      const bytes = await fileBytes(file);
      const query = new URLSearchParams(
        Object.entries({
          time_column: options.timeColumn,
          label: options.label,
          prediction: options.prediction,
          ignore: options.ignore,
          types: options.types,
        }).filter((entry): entry is [string, string] => entry[1] !== undefined),
      );
      const progress = startProgress(`sending ${file}`, bytes);
      let sent = 0;
      const source = createReadStream(file).on("data", (chunk) => {
        sent += chunk.length;
        progress.update(sent);
      });
      const baseline = await clientFor(options)
        .json<BaselineAnswer>({
          method: "PUT",
          path: `${path`/v1/models/${model}/versions/${version}/baseline`}?${query}`,
          headers: { "content-type": contentType },
          body: Readable.toWeb(source) as ReadableStream,
        })
        .finally(() => progress.end());
      print(baseline, options, () => describe(model, version, baseline));
    });
  return newGroup("baseline", "what a model version was trained on", [create]);
}

interface Options extends ServerOptions {
  readonly json?: boolean;
  readonly timeColumn?: string;
  readonly label?: string;
  readonly prediction?: string;
  readonly ignore?: string;
  readonly types?: string;
}

function describe(model: string, version: string, baseline: BaselineAnswer): string {
  const time = baseline.time_column
    ? `calibrated on its own windows by "${baseline.time_column}"`
    : "without a time column: rows are taken as independent";
  return [
    `baseline of ${model} version ${version}: ${baseline.rows} rows, ${time}`,
    ...baseline.columns.map(
      ({ name, role, type }) => `  ${name}  ${type}${role === "input" ? "" : `  ${role}`}`,
    ),
  ].join("\n");
}
