import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { basename, join } from "node:path";
import { modelInspector } from "../deployer/inspect-model.ts";
import { ServiceError } from "../schema/errors.ts";
import type { ModelSample, ModelVersion } from "../schema/model-version.ts";
import { resourceName } from "../schema/names.ts";
import type { ModelSignature } from "../schema/signature.ts";
import type { ApiClient } from "./api-client.ts";
import { path } from "./commands/command.ts";
import { fetchModel } from "./fetch-model.ts";
import { parseModelReference } from "./model-reference.ts";
import type { VersionJob } from "./version-job.ts";

export interface ScoringModel {
  /** `churn:3`, or the path of a file. */
  readonly label: string;
  /** Of the model; of the file, when it is not registered. */
  readonly name: string;
  readonly version: string;
  /** The name of the model, if it is a registered one. */
  readonly model: string | undefined;
  /** What is scored with: the file itself, or what was made of it. */
  readonly file: string;
  /** Of the file that was registered or named. */
  readonly sha256: string;
  readonly main_file: { readonly path: string; readonly from: string };
  /** Paths of the other files of the version, which lie in the folder. */
  readonly others: readonly string[];
  readonly signature: ModelSignature;
  readonly sample: ModelSample | undefined;
}

/**
 * A model to score with in this process: an ONNX file, or a version that is fetched from the server.
 *
 * @param folder - For what is fetched or rewritten; the caller removes it.
 * @param job - Begun with the version that is fetched; the caller ends it.
 * @throws ServiceError when there is none, or it cannot be loaded, with the runtime's reason.
 */
export async function scoringModel(
  written: string,
  { client, folder, job }: { readonly client: ApiClient; readonly folder: string; readonly job: VersionJob },
): Promise<ScoringModel> {
  if (/\.onnx$/i.test(written)) {
    if (!existsSync(written)) throw new ServiceError("not-found", `${written}: no such file`);
    const { file, signature } = await inspect(written, written, folder);
    const name = basename(written).replace(/\.onnx$/i, "");
    return {
      label: written,
      name: resourceName.safeParse(name).success ? name : "model",
      version: "1",
      model: undefined,
      file,
      sha256: await hashOf(written),
      main_file: { path: basename(written), from: written },
      others: [],
      signature,
      sample: undefined,
    };
  }
  const { model, reference } = parseModelReference(written);
  const version = await client.json<ModelVersion>({
    path: path`/v1/models/${model}/versions/${reference ?? "latest"}`,
  });
  const label = `${model}:${version.version}`;
  const main = version.files.find((file) => file.path === version.main_file);
  if (!main) throw new ServiceError("invalid-input", `${label} has no file that can be scored with`);
  await job.begin(client, { model, version: version.version });
  // All of them: weights may lie beside the model.
  await fetchModel(client, { version, files: version.files, folder });
  const from = join(folder, main.path);
  const { file, signature } = await inspect(label, from, folder);
  const { feature_names: features, class_labels: classes } = version.signature ?? {};
  return {
    label,
    name: model,
    version: version.version,
    model,
    file,
    sha256: main.sha256,
    main_file: { path: main.path, from },
    others: version.files.filter((each) => each !== main).map((each) => each.path),
    signature: {
      ...signature,
      ...(features ? { feature_names: features } : {}),
      ...(classes ? { class_labels: classes } : {}),
    },
    sample: version.sample ?? undefined,
  };
}

async function inspect(
  label: string,
  file: string,
  folder: string,
): Promise<{ readonly file: string; readonly signature: ModelSignature }> {
  const inspection = await modelInspector(folder)(file, {});
  if (inspection.verdict === "refused")
    throw new ServiceError("invalid-input", `${label} cannot be scored with: ${inspection.reason}`);
  return { file: inspection.served_file ?? file, signature: inspection.signature };
}

/** SHA-256 of a file, in hexadecimal. */
export async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest("hex");
}
