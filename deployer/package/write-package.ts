import { copyFile, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type ReplicaPlan, replicaPlan } from "../../schema/deployment.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { ModelSample } from "../../schema/model-version.ts";
import type { ProfileRecommendation } from "../../schema/profile.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import { collectProgram, copyPackages } from "./collect-program.ts";
import { dockerfile, manifest, startFile } from "./start-files.ts";

/** Dependencies of the runtime that only its installing script needs. */
const UNNEEDED = new Set(["adm-zip", "global-agent", "resolve-protobuf-schema"]);

export interface PackageContents {
  readonly model: string;
  readonly version: string;
  /** Files to be served, the first of which is the model; the others lie beside it under these paths. */
  readonly files: readonly { readonly path: string; readonly from: string }[];
  readonly sha256: string | undefined;
  readonly signature: ModelSignature;
  readonly sample: ModelSample | undefined;
  /** The file among them that runs before and after the model, when somebody trusts it. */
  readonly module?: { readonly path: string; readonly sha256: string } | undefined;
  readonly capture: ReplicaPlan["capture"];
  /** Of its last profile: how it did best. */
  readonly recommendation?: ProfileRecommendation | undefined;
}

/**
 * Writes a folder that serves a model without anything else: `node replica.js` on this platform, or `docker build`.
 * It is there whole or not at all.
 *
 * @param options.root - Of this package.
 * @param options.write - Further files, by their path in the folder.
 * @throws ServiceError `conflict` when the folder is there and not empty.
 */
export async function writePackage(
  folder: string,
  contents: PackageContents,
  options: {
    readonly root: string;
    readonly write: Readonly<Record<string, string>>;
  },
): Promise<void> {
  if ((await readdir(folder).catch(() => [])).length > 0)
    throw new ServiceError("conflict", `${folder} is not empty: name another folder, or remove it`);
  const partial = join(dirname(folder), `.${basename(folder)}.partial`);
  await rm(partial, { recursive: true, force: true });
  try {
    await mkdir(partial, { recursive: true });
    const { packages, entry } = await collectProgram(options.root, partial);
    await copyPackages(options.root, Object.keys(packages), { folder: partial, unneeded: UNNEEDED });
    for (const { path, from } of contents.files) {
      const target = join(partial, "model", path);
      await mkdir(dirname(target), { recursive: true });
      await copyFile(from, target);
    }
    const ownManifest = contents.files.some(({ path }) => path === "package.json");
    const texts: Readonly<Record<string, string>> = {
      "plan.json": `${JSON.stringify(planOf(contents), null, 2)}\n`,
      "replica.js": startFile(entry),
      "package.json": manifest(`${contents.model.toLowerCase()}-${contents.version}`, packages),
      Dockerfile: dockerfile(),
      ".dockerignore": "node_modules\nkubernetes\n",
      // Files that a module imports are taken as they are where it is deployed: not as those of this package.
      ...(contents.module && !ownManifest ? { "model/package.json": "{}\n" } : {}),
      ...options.write,
    };
    for (const [path, text] of Object.entries(texts)) {
      await mkdir(dirname(join(partial, path)), { recursive: true });
      await writeFile(join(partial, path), text);
    }
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Threads and batches as a profile found them to be best; a replica's own choice for what was not tried. */
export function runsAsProfiled(
  recommendation: ProfileRecommendation | undefined,
): Pick<ReplicaPlan, "threads" | "micro_batching"> {
  const { threads = null, batch_size = null } = recommendation ?? {};
  return {
    ...(threads === null ? {} : { threads }),
    ...(batch_size === null || batch_size < 2
      ? {}
      : { micro_batching: { max_rows: batch_size, max_delay_ms: 0 } }),
  };
}

function planOf({
  model,
  version,
  files,
  sha256,
  signature,
  sample,
  module,
  capture,
  recommendation,
}: PackageContents): ReplicaPlan {
  const [main] = files;
  if (!main) throw new RangeError("a package without a model");
  return replicaPlan.parse({
    deployment: model,
    number: 1,
    model,
    versions: [
      {
        version,
        weight: 100,
        model_file: `model/${main.path}`,
        ...(sha256 === undefined ? {} : { sha256 }),
        signature,
        ...(sample ? { sample } : {}),
        ...(module ? { module: { file: `model/${module.path}`, sha256: module.sha256 } } : {}),
      },
    ],
    ...(capture ? { capture } : {}),
    ...runsAsProfiled(recommendation),
  });
}
