import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../schema/errors.ts";
import type { ModelFile, ModelSample } from "../schema/model-version.ts";
import type { InspectModel, ModelSignature } from "../schema/signature.ts";
import type { BlobStore, Held } from "./blob-store.ts";
import { stageFiles } from "./stage-files.ts";

/** What the files of a version turned out to be. */
export interface Findings {
  readonly main_file: string | null;
  readonly signature: ModelSignature | null;
  /** The file that is served in the main file's place; held. */
  readonly served: Held | undefined;
  readonly notes: readonly string[];
  /** What the main file answers to the sample. */
  readonly sample_outputs?: ModelSample["outputs"];
}

/**
 * Looks into the model files among the files: each has to load.
 *
 * @throws ServiceError `invalid-input` with the runtime's reason when one does not.
 */
export async function inspectFiles(
  files: readonly ModelFile[],
  {
    blobs,
    scratchDir,
    inspectModel,
    sample,
    signal,
  }: {
    readonly blobs: BlobStore;
    readonly scratchDir: string;
    readonly inspectModel: InspectModel;
    readonly sample?: ModelSample | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Findings> {
  const models = modelsAmong(files);
  const main = mainFileOf(files);
  let findings: Findings = { main_file: main ?? null, signature: null, served: undefined, notes: [] };
  if (main === undefined) return findings;
  const folder = await mkdtemp(join(scratchDir, "inspect-"));
  try {
    await stageFiles(
      files.map(({ path, sha256 }) => ({ path, blob_path: blobs.path(sha256) })),
      folder,
    );
    // The main file last: until then there is nothing to be let go of.
    for (const path of [...models.filter((other) => other !== main), main]) {
      const found = await inspectModel(join(folder, path), {
        signal,
        sample: path === main ? sample : undefined,
      });
      if (found.verdict === "refused") {
        const message = found.reason.replaceAll(`${folder}/`, "");
        throw new ServiceError("invalid-input", `${path} cannot be served: ${message}`, {
          issues: [{ path, message }],
        });
      }
      if (path !== main) {
        if (found.served_file !== undefined) await rm(found.served_file, { force: true });
        continue;
      }
      const labels = found.class_labels ?? found.signature.class_labels;
      findings = {
        main_file: main,
        signature: { ...found.signature, ...(labels === undefined ? {} : { class_labels: labels }) },
        served: found.served_file === undefined ? undefined : await keepServed(found.served_file, blobs),
        notes: found.notes,
        ...(found.sample_outputs ? { sample_outputs: found.sample_outputs } : {}),
      };
    }
    return findings;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The model file that is served: of several the one called model.onnx, the one least deep, or the first by name. */
export function mainFileOf(files: readonly ModelFile[]): string | undefined {
  const rank = (path: string) => (/(?:^|\/)model\.onnx$/i.test(path) ? 0 : 1_000) + path.split("/").length;
  return modelsAmong(files).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))[0];
}

function modelsAmong(files: readonly ModelFile[]): string[] {
  return files.map(({ path }) => path).filter((path) => path.toLowerCase().endsWith(".onnx"));
}

async function keepServed(path: string, blobs: BlobStore): Promise<Held> {
  try {
    return await blobs.store(createReadStream(path));
  } finally {
    await rm(path, { force: true });
  }
}
