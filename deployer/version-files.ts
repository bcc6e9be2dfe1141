import { createHash } from "node:crypto";
import { copyFileSync, createReadStream, linkSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { ServiceError } from "../schema/errors.ts";
import type { ResolvedVersion } from "../schema/model-version.ts";

/**
 * Gives the files of a version their names again, in a folder of the deployment: weights and modules are found beside a
 * model by them. Each must be what was registered, since a model with other weights loads as happily as with its own.
 *
 * @param folder - Of the deployment.
 * @returns The folder of the version; undefined for a version of one file, which is found by its content.
 * @throws ServiceError `conflict`, naming the file, for one that is damaged.
 */
export async function placeFiles(
  { model, version, files }: ResolvedVersion,
  folder: string,
): Promise<string | undefined> {
  if (files.length < 2) return undefined;
  const placed = join(folder, "models", model, version);
  for (const { path, blob_path, sha256 } of files) {
    const target = join(placed, path);
    if ((await hashOf(target)) === sha256) continue;
    if ((await hashOf(blob_path)) !== sha256)
      throw new ServiceError(
        "conflict",
        `version ${version} of ${model} cannot be served: ${path} is not the file that was registered (the hash differs): register it anew`,
      );
    mkdirSync(dirname(target), { recursive: true });
    rmSync(target, { force: true });
    try {
      linkSync(blob_path, target);
    } catch {
      copyFileSync(blob_path, target); // another file system
    }
  }
  return placed;
}

/** Undefined for a file that cannot be read, or is not there. */
async function hashOf(path: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    for await (const part of createReadStream(path)) hash.update(part as Buffer);
  } catch {
    return undefined;
  }
  return hash.digest("hex");
}
