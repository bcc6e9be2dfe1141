import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Command } from "commander";
import { ServiceError } from "../../schema/errors.ts";
import type { AliasState, Lineage, ModelVersion } from "../../schema/model-version.ts";
import { describeVersion } from "../describe-model.ts";
import { gitFacts } from "../git-facts.ts";
import { localFiles } from "../model-files.ts";
import { startProgress } from "../progress.ts";
import { sendModel } from "../send-model.ts";
import { userName } from "../user-name.ts";
import { clientFor, newCommand, path, print, type ServerOptions, withServer } from "./command.ts";

interface Options extends ServerOptions {
  readonly json?: boolean;
  readonly description?: string;
  readonly tag: Readonly<Record<string, string>>;
  readonly property: Readonly<Record<string, string>>;
  readonly run?: string;
  readonly runUrl?: string;
  readonly why?: string;
  readonly by?: string;
  readonly dataset?: string;
  readonly datasetHash?: string;
  readonly environment?: string;
  readonly parent?: string;
  readonly featureNames?: string;
  readonly classLabels?: string;
  readonly sample?: string;
  readonly alias?: string;
  readonly git: boolean;
  readonly gitRepository?: string;
  readonly gitBranch?: string;
  readonly gitCommit?: string;
  readonly key?: string;
}

export function registerCommand(): Command {
  return withServer(
    newCommand("register", {
      does: "register files, or folders of files, as the next version of a model",
      example:
        'leeway model register churn model.onnx --tag team=growth --run 2026-11-21 --description "more trees"\nleeway model register churn ./model-folder --feature-names age,income,region --alias challenger --why "beats 3 on last week"',
    }),
  )
    .argument("<name>")
    .argument("<file...>")
    .option("--description <text>", "what is special about this version")
    .option("--tag <k=v>", "a tag; may be given again, and changed later", pairs("--tag"), {})
    .option("--property <k=v>", "as a tag, but it never changes", pairs("--property"), {})
    .option("--run <id>", "the run that trained it")
    .option("--run-url <url>", "where that run can be seen")
    .option("--why <text>", "why it is registered; with --alias also why that moves")
    .option("--by <who>", "who registers it (your user name when absent)")
    .option("--dataset <file>", "training data: its SHA-256 is kept, not the file")
    .option("--dataset-hash <text>", "hash of the training data, when it is known")
    .option("--environment <file>", "file that lists the packages it was trained with; sent along")
    .option("--parent <version>", "version it was made from")
    .option("--feature-names <names>", "names of the columns of its input, in order, with commas")
    .option("--class-labels <names>", "names of the columns of its probabilities, with commas")
    .option(
      "--sample <file>",
      "JSON {inputs, outputs?} of tensors: every deployment checks that it still answers so",
    )
    .option("--alias <name>", "let this alias point to the new version")
    .option("--no-git", "do not look for a git work tree around the first file")
    .option("--git-repository <url>", "instead of what git says")
    .option("--git-branch <name>", "instead of what git says")
    .option("--git-commit <hash>", "instead of what git says")
    .option("--key <text>", "a repeat with the same key answers the version that is there")
    .action(register);
}

async function register(name: string, given: readonly string[], options: Options): Promise<void> {
  const { environment, description, why, alias, key } = options;
  const files = await localFiles(
    environment === undefined || given.includes(environment) ? given : [...given, environment],
  );
  const registration = {
    name,
    tags: options.tag,
    properties: options.property,
    lineage: await lineageOf(given[0] ?? ".", options),
    registered_by: options.by ?? userName(),
    ...(description === undefined ? {} : { description }),
    ...(why === undefined ? {} : { why }),
    ...(options.featureNames === undefined ? {} : { feature_names: options.featureNames.split(",") }),
    ...(options.classLabels === undefined ? {} : { class_labels: options.classLabels.split(",") }),
    ...(options.sample === undefined ? {} : { sample: await readJson(options.sample) }),
  };
  const client = clientFor(options);
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const progress = startProgress(
    `sending ${files.length === 1 ? files[0]?.path : `${files.length} files`}`,
    total,
  );
  const version = await sendModel(client, {
    registration,
    files,
    ...(key === undefined ? {} : { key }),
    onProgress: (bytes) => progress.update(bytes),
  }).finally(() => progress.end());
  if (alias !== undefined) {
    await client.send<AliasState>("PUT", path`/v1/models/${name}/aliases/${alias}`, {
      version: version.version,
      why: why ?? "registered with it",
      by: registration.registered_by,
    });
  }
  const aliases = alias === undefined ? version.aliases : [...new Set([...version.aliases, alias])];
  print<ModelVersion>({ ...version, aliases }, options, describeVersion);
}

async function lineageOf(first: string, options: Options): Promise<Lineage> {
  const folder = (await stat(first)).isDirectory() ? first : dirname(first);
  const found = options.git ? await gitFacts(folder) : undefined;
  const commit = options.gitCommit ?? found?.commit;
  const repository = options.gitRepository ?? found?.repository;
  const branch = options.gitBranch ?? found?.branch;
  if (commit === undefined && (repository ?? branch) !== undefined) {
    throw new ServiceError(
      "invalid-input",
      "--git-repository and --git-branch need --git-commit: there is no git work tree to ask",
    );
  }
  const dirty = options.gitCommit === undefined ? found?.dirty : undefined;
  const dataset = options.dataset === undefined ? options.datasetHash : await sha256Of(options.dataset);
  return {
    ...(options.run === undefined ? {} : { run_id: options.run }),
    ...(options.runUrl === undefined ? {} : { run_url: options.runUrl }),
    ...(dataset === undefined ? {} : { dataset_hash: dataset }),
    ...(options.environment === undefined ? {} : { environment_file: basename(options.environment) }),
    ...(options.parent === undefined ? {} : { parent: options.parent }),
    ...(commit === undefined
      ? {}
      : {
          git: {
            commit,
            ...(repository === undefined ? {} : { repository }),
            ...(branch === undefined ? {} : { branch }),
            ...(dirty === undefined ? {} : { dirty }),
          },
        }),
  };
}

/** Collects `k=v` of an option that may be given again. */
function pairs(option: string) {
  return (text: string, before: Readonly<Record<string, string>>): Record<string, string> => {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (key === undefined || value === undefined) {
      throw new ServiceError("invalid-input", `${option} ${text}: expected KEY=VALUE, such as env=prod`);
    }
    return { ...before, [key]: value };
  };
}

async function readJson(file: string) {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new ServiceError("invalid-input", `${file} is not JSON: ${error.message}`);
    throw error;
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return `sha256:${hash.digest("hex")}`;
}
