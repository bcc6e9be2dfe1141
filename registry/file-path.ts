import { ServiceError } from "../schema/errors.ts";

const LONGEST_PATH_BYTES = 512;
const LONGEST_SEGMENT_BYTES = 255;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * A file's path within a version: names joined by `/`, none of which leads out of the folder it is unpacked into.
 *
 * @throws ServiceError `invalid-input`, saying what is wrong with it.
 */
export function checkFilePath(path: string): string {
  const why = wrongWith(path);
  if (why === undefined) return path;
  throw new ServiceError("invalid-input", `file path ${JSON.stringify(path.slice(0, 200))}: ${why}`);
}

function wrongWith(path: string): string | undefined {
  if (path === "") return "it is empty: send the file's name with it";
  if (Buffer.byteLength(path) > LONGEST_PATH_BYTES) return `it is longer than ${LONGEST_PATH_BYTES} bytes`;
  if (CONTROL.test(path)) return "it holds control characters";
  if (path.includes("\\")) return "it holds a backslash: folders are separated by /";
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path))
    return "it is absolute: expected one within the version";
  const segments = path.split("/");
  if (segments.includes("")) return "a name in it is empty";
  if (segments.some((name) => name === "." || name === "..")) return "it leads out of the version's folder";
  if (segments.some((name) => Buffer.byteLength(name) > LONGEST_SEGMENT_BYTES)) {
    return `a name in it is longer than ${LONGEST_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

/**
 * Refuses paths that cannot all be in one folder, also where the file system ignores case.
 *
 * @throws ServiceError `invalid-input`, naming the two.
 */
export function checkTogether(paths: readonly string[]): void {
  const files = new Map<string, string>();
  const folders = new Map<string, string>();
  for (const path of paths) {
    const folded = path.normalize("NFC").toLowerCase();
    const same = files.get(folded);
    if (same !== undefined) throw clash(path, same);
    files.set(folded, path);
    const names = folded.split("/");
    for (let depth = 1; depth < names.length; depth++) folders.set(names.slice(0, depth).join("/"), path);
  }
  for (const [folded, path] of files) {
    const inside = folders.get(folded);
    if (inside !== undefined) throw clash(path, inside);
  }
}

function clash(path: string, other: string): ServiceError {
  return new ServiceError(
    "invalid-input",
    `files "${path}" and "${other}" cannot both be in one version: one would take the other's place`,
  );
}
