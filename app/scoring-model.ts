import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { modelInspector } from "../deployer/inspect-model.ts";
import { ServiceError } from "../schema/errors.ts";
import type { ModelVersion } from "../schema/model-version.ts";
import type { ModelSignature } from "../schema/signature.ts";
import type { ApiClient } from "./api-client.ts";
import { path } from "./commands/command.ts";
import { fetchModel } from "./fetch-model.ts";
import { parseModelReference } from "./model-reference.ts";

export interface ScoringModel {
  /** `churn:3`, or the path of a file. */
  readonly name: string;
  /** The name of the model, if it is a registered one. */
  readonly model: string | undefined;
  readonly file: string;
  /** Of the file that was registered or named. */
  readonly sha256: string;
  readonly signature: ModelSignature;
}

/**
 * A model to score with in this process: an ONNX file, or a version that is fetched from the server.
 *
 * @param folder - For what is fetched or rewritten; the caller removes it.
 * @throws ServiceError when there is none, or it cannot be loaded, with the runtime's reason.
 */
export async function scoringModel(
  written: string,
  { client, folder }: { readonly client: ApiClient; readonly folder: string },
): Promise<ScoringModel> {
  if (/\.onnx$/i.test(written)) {
    if (!existsSync(written)) throw new ServiceError("not-found", `${written}: no such file`);
    const inspected = await inspect(written, written, folder);
    return { ...inspected, name: written, model: undefined, sha256: await hashOf(written) };
  }
  const { model, reference } = parseModelReference(written);
  const version = await client.json<ModelVersion>({
    path: path`/v1/models/${model}/versions/${reference ?? "latest"}`,
  });
  const name = `${model}:${version.version}`;
  const main = version.files.find((file) => file.path === version.main_file);
  if (!main) throw new ServiceError("invalid-input", `${name} has no file that can be scored with`);
  // All of them: weights may lie beside the model.
  await fetchModel(client, { version, files: version.files, folder });
  const { file, signature } = await inspect(name, join(folder, main.path), folder);
  const { feature_names: features, class_labels: classes } = version.signature ?? {};
  const named = {
    ...signature,
    ...(features ? { feature_names: features } : {}),
    ...(classes ? { class_labels: classes } : {}),
  };
  return { name, model, file, sha256: main.sha256, signature: named };
}

async function inspect(
  name: string,
  file: string,
  folder: string,
): Promise<{ readonly file: string; readonly signature: ModelSignature }> {
  const inspection = await modelInspector(folder)(file, {});
  if (inspection.verdict === "refused")
    throw new ServiceError("invalid-input", `${name} cannot be scored with: ${inspection.reason}`);
  return { file: inspection.served_file ?? file, signature: inspection.signature };
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest("hex");
}
