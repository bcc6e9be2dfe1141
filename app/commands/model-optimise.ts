import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { readModel } from "../../deployer/onnx/read-model.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { ModelVersion } from "../../schema/model-version.ts";
import type { OptimisationOutcome } from "../../schema/optimisation.ts";
import type { LocalFile } from "../model-files.ts";
import type { ScoringModel } from "../scoring-model.ts";
import { sendModel } from "../send-model.ts";
import { userName } from "../user-name.ts";
import { versionJob } from "../version-job.ts";
import { clientFor, newCommand, path, print, type ServerOptions, withServer } from "./command.ts";

interface Options extends ServerOptions {
  readonly json?: boolean;
  readonly alias?: string;
  readonly by?: string;
  readonly dryRun?: boolean;
}

type Same = Extract<OptimisationOutcome, { verdict: "same" }>;

export function optimiseCommand(): Command {
  return withServer(
    newCommand("optimize", {
      does: "have onnxruntime make a version's graph over, compare the two, and register it as the next version",
      example: "leeway model optimize churn@champion\nleeway model optimize churn:3 --dry-run",
    }),
  )
    .alias("optimise")
    .argument("<model>", "NAME (the newest version), NAME:VERSION or NAME@ALIAS")
    .option("--dry-run", "compare and measure; register nothing")
    .option("--alias <name>", "let this alias point to the new version")
    .option("--by <who>", "who wants it (your user name when absent)")
    .addHelpText(
      "after",
      `
Exit code 3 when the answers differ: nothing is registered then. What is registered says in its properties how
many instances were compared, within which tolerance, and what was measured, "no difference" included. Dynamic
int8 quantisation is not there: onnxruntime has it for Python only.`,
    )
    .action(optimise);
}

async function optimise(written: string, options: Options): Promise<void> {
  const [{ optimiseFile }, { scoringModel }] = await Promise.all([
    import("../../deployer/optimise-file.ts"),
    import("../scoring-model.ts"),
  ]);
  const client = clientFor(options);
  const folder = mkdtempSync(join(tmpdir(), "leeway-optimise-"));
  const job = versionJob("optimisation");
  try {
    const model = await scoringModel(written, { client, folder, job });
    if (model.model === undefined)
      throw new ServiceError(
        "invalid-input",
        `${written} is not registered: leeway model register NAME ${written}`,
      );
    const parent = await client.json<ModelVersion>({
      path: path`/v1/models/${model.model}/versions/${model.version}`,
    });
    const file = join(dirname(model.main_file.from), `${randomUUID()}.onnx`); // beside weights that it may go on needing
    const outcome = await optimiseFile(model.file, { optimisedFile: file, sample: model.sample, folder });
    if (outcome.verdict === "refused")
      throw new ServiceError("invalid-input", `${model.label} cannot be optimised: ${outcome.reason}`);
    if (outcome.verdict === "differs") {
      process.exitCode = 3;
      print(
        outcome,
        options,
        () => `${model.label}: made over it answers otherwise: ${outcome.reason}; nothing was registered`,
      );
      return;
    }
    if (options.dryRun) {
      print(outcome, options, () => describe(model.label, outcome));
      return;
    }
    const by = options.by ?? userName();
    const why = `made of ${model.label} by onnxruntime's graph optimisation`;
    const { feature_names, class_labels } = model.signature;
    const registered = await sendModel(client, {
      registration: {
        name: model.model,
        description: parent.description,
        registered_by: by,
        why,
        tags: {},
        properties: propertiesOf(outcome),
        lineage: { ...parent.lineage, parent: parent.version },
        ...(feature_names ? { feature_names } : {}),
        ...(class_labels ? { class_labels } : {}),
        ...(model.sample ? { sample: model.sample } : {}),
      },
      files: [{ file, path: model.main_file.path, bytes: 0 }, ...besides(model, { file, folder })],
    });
    if (options.alias !== undefined)
      await client.send("PUT", path`/v1/models/${model.model}/aliases/${options.alias}`, {
        version: registered.version,
        why,
        by,
      });
    print(
      { ...outcome, model: model.model, version: registered.version, parent: parent.version },
      options,
      () => [describe(model.label, outcome), `registered as ${model.model}:${registered.version}`].join("\n"),
    );
  } finally {
    await job.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the parent has beside its model: its code and environment too, but no weights that the new file holds itself. */
function besides(
  { main_file, others }: ScoringModel,
  { file, folder }: { readonly file: string; readonly folder: string },
): LocalFile[] {
  const weightsOf = (model: string) =>
    readModel(readFileSync(model)).externalFiles.map((name) => join(dirname(main_file.path), name));
  const needed = new Set(weightsOf(file));
  const unneeded = new Set(weightsOf(main_file.from).filter((path) => !needed.has(path)));
  return others
    .filter((path) => !unneeded.has(path))
    .map((path) => ({ file: join(folder, path), path, bytes: 0 }));
}

/** What was found, with the version for good. */
function propertiesOf({
  level,
  tolerance,
  instances,
  largest_difference,
  speed,
  load_ms,
}: Same): Record<string, string> {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  return {
    "optimised.by": `onnxruntime ${version}, level ${level}`,
    "parity.instances": String(instances),
    "parity.tolerance": String(tolerance),
    "parity.largest_difference": largest_difference.toExponential(2),
    "speed.verdict": speed.verdict,
    "speed.ratio": speed.ratio.toFixed(3),
    "speed.run_ms": `${speed.before_ms.toPrecision(3)} -> ${speed.after_ms.toPrecision(3)}`,
    "speed.load_ms": `${load_ms.before.toPrecision(3)} -> ${load_ms.after.toPrecision(3)}`,
  };
}

function describe(label: string, { tolerance, instances, largest_difference, speed, load_ms }: Same): string {
  const { before_ms, after_ms, ratio, faster_blocks, blocks, verdict } = speed;
  const times = `median run ${before_ms.toPrecision(3)} ms before, ${after_ms.toPrecision(3)} ms after; after was faster in ${faster_blocks} of ${blocks} blocks that took turns`;
  const found =
    verdict === "no difference"
      ? "no difference in speed was measured: onnxruntime does much of this whenever it loads a model"
      : `${verdict}: ${ratio.toFixed(2)} times the speed`;
  return [
    `${label}: the same answers to ${instances} instances, numbers at most ${largest_difference.toExponential(1)} apart (${tolerance} is allowed)`,
    `  ${found} (${times})`,
    `  loads in ${load_ms.after.toPrecision(3)} ms, ${load_ms.before.toPrecision(3)} ms before`,
  ].join("\n");
}
