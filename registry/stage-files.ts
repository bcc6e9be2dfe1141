import { copyFile, link, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A file of a version and where its content is. */
export interface StageableFile {
  readonly path: string;
  readonly blob_path: string;
}

/**
 * Lays the files of a version out in a folder under their own paths, as a model that refers to other files expects
 * them: by links where the file system has them, by copies elsewhere. They may only be read.
 */
export async function stageFiles(files: readonly StageableFile[], folder: string): Promise<void> {
  for (const { path, blob_path } of files) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await link(blob_path, target).catch(() => copyFile(blob_path, target));
  }
}
