import { lstat, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { checkFilePath, checkTogether } from "../registry/file-path.ts";
import { ServiceError } from "../schema/errors.ts";

/** A file on this machine and its path within the version it becomes part of. */
export interface LocalFile {
  readonly file: string;
  readonly path: string;
  readonly bytes: number;
}

/**
 * The files that are meant: each under its own name, those of a folder under their paths within it.
 * @throws ServiceError `invalid-input` when there are none, or two would have the same path.
 */
export async function localFiles(given: readonly string[]): Promise<LocalFile[]> {
  const found: LocalFile[] = [];
  for (const name of given) {
    const info = await stat(name);
    if (info.isDirectory()) found.push(...(await filesWithin(name)));
    else found.push({ file: name, path: checkFilePath(basename(name)), bytes: info.size });
  }
  if (found.length === 0) throw new ServiceError("invalid-input", `there is no file in ${given.join(", ")}`);
  checkTogether(found.map(({ path }) => path));
  return found;
}

async function filesWithin(folder: string): Promise<LocalFile[]> {
  const found: LocalFile[] = [];
  for (const path of (await readdir(folder, { recursive: true })).sort()) {
    const file = join(folder, path);
    const info = await lstat(file);
    if (info.isSymbolicLink()) {
      throw new ServiceError(
        "invalid-input",
        `${file} is a link: name the file it points to by itself, or copy it there`,
      );
    }
    if (info.isFile()) found.push({ file, path: checkFilePath(path), bytes: info.size });
  }
  return found;
}
